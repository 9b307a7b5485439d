"""Log lines in the engine's own form, and the sim's own remarks."""

from __future__ import annotations

import sys
import time


def info(message: str):
    """Prints one line the way the real engine's logger does."""
    _print("[I]", message)


def error(message: str):
    """Prints one error line the way the real engine's logger does."""
    _print("[E]", message)


def engine(message: str):
    """Prints one line the way the process that runs the model does."""
    _print("[I] [_torch][RANK 0]", message)


def progress(what: str, done: int, total: int):
    """Prints how much is done the way loaders do that have no terminal."""
    print(f"{what}: {100 * done // total:3d}% Completed | {done}/{total}", flush=True)


def remark(message: str):
    """Prints a line that only the sim would print."""
    print(f"[sim] {message}", flush=True)


def complain(program: str, message: str):
    """Prints why `program` gives up: one line on stderr."""
    print(f"{program}: {message}", file=sys.stderr, flush=True)


def _print(level: str, message: str):
    print(f"[{time.strftime('%m/%d/%Y-%H:%M:%S')}] [TRT-LLM] {level} {message}", flush=True)
