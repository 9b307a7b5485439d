"""Reading results: what must not be in a client log, and the device step time of a GEN log."""

from __future__ import annotations

import os
import re
from collections import Counter

STEP_TIME = "Average Per Iter Device Step Time (ms):"

_FIRST_ITERATION = 5  # those before are not steady


def problems(text: str, semianalysis: bool = False) -> list[str]:
    """Returns what is wrong with a client log: its exit code does not tell. The SemiAnalysis client counts no failures,
    so what succeeded is compared with what was asked for."""
    found = []
    if semianalysis:
        good, wanted = re.search(r"Successful requests:\s+(\d+)", text), re.search(r"num_prompts=(\d+)", text)
        missing = int(wanted[1]) - int(good[1]) if good and wanted else None
    else:
        failed = re.search(r"Failed requests:\s+(\d+)", text)
        missing = int(failed[1]) if failed else None
    if missing is None:
        found.append("no result block")
    elif missing:
        found.append(f"{missing} failed requests")
    if re.search(r"Output token throughput \(tok/s\):\s+0\.0+\s", text):
        found.append("not a single output token")
    return found


def mean_step_time(path: str, key: str) -> float | None:
    """Returns the mean device step time of the most common batch size in a GEN log, in ms; None when it has none."""
    if not os.path.exists(path):
        return None
    pattern = re.compile(rf"iter = (\d+),.* {key} = ([\d.]+)ms,.*'num_generation_tokens': (\d+)")
    with open(path, encoding="utf-8", errors="replace") as file:
        matches = [match for match in map(pattern.search, file) if match and int(match[1]) >= _FIRST_ITERATION]
    if not matches:
        return None
    [(batch, count)] = Counter(match[3] for match in matches).most_common(1)
    return sum(float(match[2]) for match in matches if match[3] == batch) / count


def add_step_time(logs: list[str], key: str, client_log: str):
    """Adds the step time that GEN logs have to the log of the client, which is the only one outside of e2e."""
    means = [mean for path in logs if (mean := mean_step_time(path, key)) is not None]
    assert means, f"no line with {key} in {' or '.join(logs)}"
    line = f"{STEP_TIME} {sum(means) / len(means):.4f}"
    print(line, flush=True)
    with open(client_log, "a", encoding="utf-8") as file:
        file.write(line + "\n")
