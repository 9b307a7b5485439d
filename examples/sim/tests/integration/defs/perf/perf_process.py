"""Children whose output goes to a file and, from there, to the output of the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

_BLOCK = 1 << 20
_TAIL_LINES = 20
_FOLLOW_SECONDS = 0.05


class LoggedProcess:
    """A child that writes to a log file. A pipe would be held open by whatever the child leaves behind."""

    def __init__(self, command: list[str], environment: dict[str, str], log_path: str, echo: bool = True):
        """Starts the child. `echo`: its output is passed on to the output of the test."""
        self.name = os.path.basename(log_path)
        self.log_path = log_path
        self._log = open(log_path, "wb")
        self._echo = open(log_path, "rb") if echo else None
        print(f"starting {' '.join(command)}", flush=True)
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def poll(self) -> int | None:
        """Passes on new output; returns the exit code once the child has ended."""
        code = self._process.poll()
        end = os.path.getsize(self.log_path)  # not further: a child may write faster than anybody reads
        while self._echo and self._echo.tell() < end and (block := self._echo.read(_BLOCK)):
            sys.stdout.buffer.write(block)
        sys.stdout.flush()
        return code

    def wait(self, meanwhile: Callable[[], object] = lambda: None) -> int:
        """Passes on output until the child has ended, and calls `meanwhile` again and again; returns its exit code."""
        while (code := self.poll()) is None:
            meanwhile()
            time.sleep(_FOLLOW_SECONDS)
        return code

    def stop(self):
        """Asks the child to end and waits for it, however long that takes."""
        self._process.terminate()
        self._process.wait()
        self.poll()
        self._log.close()

    def text(self) -> str:
        """Returns all that the child wrote."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self) -> str:
        """Returns the last lines that the child wrote."""
        return "\n".join(self.text().splitlines()[-_TAIL_LINES:])
