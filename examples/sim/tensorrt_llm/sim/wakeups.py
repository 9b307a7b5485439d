"""What a main thread waits for: signals, and the word of other threads.

A blocking call of Python's misses a signal that comes just before it blocks, and goes on waiting. A read from the pipe
in which the interpreter notes signals does not.
"""

from __future__ import annotations

import os
import signal

DONE = 0


class Wakeups:
    """The signals `numbers`, and DONE, in the order in which they came. One may exist in a process."""

    def __init__(self, *numbers: int):
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def next(self) -> int:
        """Waits for the next one and returns it: a signal's number, or DONE."""
        return os.read(self._reading, 1)[0]

    def done(self):
        """Wakes the main thread with DONE; for other threads."""
        os.write(self._writing, bytes([DONE]))
