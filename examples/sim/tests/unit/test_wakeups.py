"""Signals and words for the main thread."""

import subprocess
import sys

from conftest import ROOT

PROGRAM = """
import os, signal, sys, threading
from tensorrt_llm.sim.wakeups import DONE, Wakeups

wakeups = Wakeups(signal.SIGTERM, signal.SIGINT)
os.kill(os.getpid(), signal.SIGINT)  # before anybody waits
os.kill(os.getpid(), signal.SIGTERM)
print([int(wakeups.next()), int(wakeups.next())])
threading.Timer(0.1, wakeups.done).start()
print(wakeups.next() == DONE)
"""


def test_nothing_that_came_before_the_wait_is_missed():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert done.stdout == "[2, 15]\nTrue\n", done.stderr
