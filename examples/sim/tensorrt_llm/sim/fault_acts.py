"""The faults that are acts. Each one waits and runs in a daemon thread of its own.

Output goes straight to file descriptor 1: a fault that floods a blocked pipe must not hold the lock of sys.stdout.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import traceback

_PAGE = 4096
_LONG_LINE_MB = 10
_ORPHAN_SECONDS = 600
_TEXT = "SIM_CRASH_TEXT"


def start(fault, due: float):
    """Runs `fault` at `due` (monotonic seconds)."""
    threading.Thread(target=_run, args=(fault, due), name=f"fault-{fault.kind}", daemon=True).start()


def _run(fault, due: float):
    time.sleep(max(0.0, due - time.monotonic()))
    _ACTS[fault.kind](fault.argument)


def _crash(code: float | None):
    if file := os.environ.get(_TEXT):
        with open(file, "rb") as text:
            said = text.read()
    else:
        try:
            raise RuntimeError("sim fault")
        except RuntimeError:
            said = traceback.format_exc().encode()
    _write(b"\n" + said)  # at once, on lines of its own: other threads print too
    os._exit(1 if code is None else int(code))  # from a thread, sys.exit would end only the thread


def _orphans(count: float):
    for _ in range(int(count)):
        # The shell leads a new session and exits; the sleep it leaves behind is alone in it.
        subprocess.Popen(
            ["/bin/sh", "-c", f"sleep {_ORPHAN_SECONDS} &"], stdin=subprocess.DEVNULL, start_new_session=True
        ).wait()


def _flood(megabytes_per_second: float):
    line = b"[sim] flood " + b"x" * 1011 + b"\n"
    block = line * 64
    pause = len(block) / (max(megabytes_per_second, 0.001) * 1e6)
    due = time.monotonic()
    while True:
        _write(block)
        due = max(due + pause, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))


def _long_line(_):
    _write(b"[sim] long line " + b"x" * (_LONG_LINE_MB * 1_000_000) + b"\n")


def _binary(_):
    _write(b"[sim] binary \x00\x01\xff\xfe\xc3\x28\xed\xa0\x80 " + bytes(range(256)) + b"\n")


def _oom(megabytes: float):
    held = bytearray(int(megabytes) * 1_000_000)
    held[::_PAGE] = b"\x01" * len(range(0, len(held), _PAGE))
    _write(b"[sim] holding %d MB\n" % megabytes)
    threading.Event().wait()


def _write(data: bytes):
    while data:
        data = data[os.write(1, data) :]


_ACTS = {
    "crash": _crash,
    "exit0": lambda _: os._exit(0),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "orphans": _orphans,
    "flood": _flood,
    "long-line": _long_line,
    "binary": _binary,
    "oom": _oom,
}
