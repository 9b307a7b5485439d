"""Log lines in the engine's own form, and the sim's own remarks."""

from __future__ import annotations

import sys
import time


def info(message: str):
    """Prints one line the way the real engine's logger does."""
    print(f"[{time.strftime('%m/%d/%Y-%H:%M:%S')}] [TRT-LLM] [I] {message}", flush=True)


def error(message: str):
    """Prints one error line the way the real engine's logger does."""
    print(f"[{time.strftime('%m/%d/%Y-%H:%M:%S')}] [TRT-LLM] [E] {message}", flush=True)


def remark(message: str):
    """Prints a line that only the sim would print."""
    print(f"[sim] {message}", flush=True)


def complain(program: str, message: str):
    """Prints why `program` gives up: one line on stderr."""
    print(f"{program}: {message}", file=sys.stderr, flush=True)
