"""Reading results: what must not be in a client log, and the device step time of a GEN log."""

from __future__ import annotations

import re
from collections import Counter

STEP_TIME = "Average Per Iter Device Step Time (ms):"

_STEP = re.compile(r"iter = (\d+),.* prev_device_step_time = ([\d.]+)ms,.*'num_generation_tokens': (\d+)")
_FIRST_ITERATION = 5  # those before are not steady


def problems(text: str) -> list[str]:
    """Returns what is wrong with a client log: its exit code does not tell."""
    found = []
    failed = re.search(r"Failed requests:\s+(\d+)", text)
    if not failed:
        found.append("no result block")
    elif int(failed[1]):
        found.append(f"{failed[1]} failed requests")
    if re.search(r"Output token throughput \(tok/s\):\s+0\.0+\s", text):
        found.append("not a single output token")
    return found


def mean_step_time(path: str) -> float | None:
    """Returns the mean device step time of the most common batch size in a GEN log, in ms; None when it has none."""
    with open(path, encoding="utf-8", errors="replace") as file:
        matches = [match for match in map(_STEP.search, file) if match and int(match[1]) >= _FIRST_ITERATION]
    if not matches:
        return None
    [(batch, count)] = Counter(match[3] for match in matches).most_common(1)
    return sum(float(match[2]) for match in matches if match[3] == batch) / count
