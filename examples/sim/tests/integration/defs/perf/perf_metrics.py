"""Reading results: what a client log must contain, and the device step time of a GEN log."""

from __future__ import annotations

import re
from collections import Counter

_NUMBER = r"\s+(-?[\d\.]+)"
_THROUGHPUTS = {
    "seq_throughput": r"Request throughput \(req\/s\):",
    "token_throughput": r"Output token throughput \(tok\/s\):",
    "total_token_throughput": r"Total Token throughput \(tok\/s\):",
    "user_throughput": r"User throughput \(tok\/s\):",
}
_LATENCIES = {
    f"{statistic.lower()}_{name.lower()}": rf"{statistic} {name} \(ms\):"
    for statistic in ("Mean", "Median", "P99")
    for name in ("TTFT", "ITL", "TPOT", "E2EL")
}
_ACCEPTED = "Mean Avg Decoded Tokens per Iter:"
_MARKERS = ("!FAILED REQUESTS!", "!CHECK LOG FOR ERRORS!")
STEP_TIME = "Average Per Iter Device Step Time (ms):"

_STEP = re.compile(r"iter\s*=\s*(\d+),.*?prev_device_step_time\s*=\s*([\d.]+)\s*ms")
_GENERATION_TOKENS = re.compile(r"'num_generation_tokens':\s*(\d+)")
_SCHEDULED = re.compile(r"iter\s*=\s*(\d+),.*?num_scheduled_requests\s*=\s*(\d+)")
_RANK = re.compile(r"global_rank\s*=\s*(\d+)")
_FIRST_ITERATION = 5
_MAX_ROWS = 500_000


def parse_metrics(text: str, speculative: bool, gen_only: bool) -> dict[str, float]:
    """Returns the metrics found in a client log; those that must be there but are not have no key."""
    patterns = _THROUGHPUTS | _LATENCIES
    if speculative:
        patterns |= {"al": _ACCEPTED}
    if gen_only:
        patterns |= {"mean_gen_worker_per_iter_device_step_time": re.escape(STEP_TIME)}
    matches = {name: re.search(pattern + _NUMBER, text) for name, pattern in patterns.items()}
    return {name: float(match[1]) for name, match in matches.items() if match}


def problems(text: str, speculative: bool, gen_only: bool, check_count: bool) -> list[str]:
    """Returns what is wrong with a client log. `check_count`: all prompts must have succeeded."""
    found = []
    failed = re.search(r"Failed requests:\s+(\d+)", text)
    if failed and int(failed[1]):
        found.append(f"{failed[1]} failed requests")
    found += [f"the log says {marker}" for marker in _MARKERS if marker in text]
    metrics = parse_metrics(text, speculative, gen_only)
    expected = {*_THROUGHPUTS, *_LATENCIES} | ({"al"} if speculative else set())
    if gen_only:
        expected.add("mean_gen_worker_per_iter_device_step_time")
    if missing := sorted(expected - metrics.keys()):
        found.append(f"missing metrics: {', '.join(missing)}")
    if metrics.get("token_throughput") == 0:
        found.append("not a single output token")
    if check_count:
        wanted, got = re.search(r"num_prompts=(\d+)", text), re.search(r"Successful requests:\s+(\d+)", text)
        if not (wanted and got and wanted[1] == got[1]):
            found.append("the number of successful requests is not num_prompts")
    return found


def mean_step_time(path: str, offset: int) -> float | None:
    """Returns the mean device step time in a GEN log from byte `offset` on, in ms; None when it has none.

    Only rows with the most common batch count. A row whose rank scheduled nothing in the iteration before is left
    out: the time it reports is idle time.
    """
    rows: list[tuple[int | None, float]] = []
    idle: set[tuple[int, int]] = set()
    with open(path, "rb") as file:
        file.seek(offset)
        for raw in file:
            row = _parse_row(raw.decode(errors="replace"), idle)
            if row:
                rows.append(row)
            if len(rows) == _MAX_ROWS:
                break
    counts = Counter(tokens for tokens, _ in rows if tokens is not None)
    if counts:
        bucket = max(counts, key=lambda tokens: (counts[tokens], tokens))
        rows = [row for row in rows if row[0] == bucket]
    return sum(step for _, step in rows) / len(rows) if rows else None


def _parse_row(line: str, idle: set[tuple[int, int]]) -> tuple[int | None, float] | None:
    """Returns generation tokens and step time of a line that counts, and notes idle iterations in `idle`."""
    step = _STEP.search(line)
    if not step:
        return None
    iteration = int(step[1])
    rank = _RANK.search(line)
    rank_number = int(rank[1]) if rank else 0
    scheduled = _SCHEDULED.search(line)
    if scheduled and int(scheduled[2]) == 0:
        idle.add((rank_number, iteration))
    if iteration < _FIRST_ITERATION or (rank_number, iteration - 1) in idle:
        return None
    tokens = _GENERATION_TOKENS.search(line)
    return int(tokens[1]) if tokens else None, float(step[2])
