"""The result block that harnesses read with regular expressions: names and units are upstream's."""

from __future__ import annotations

from tensorrt_llm.serve.scripts.load import Outcome

# What may be reported, by the name the command line uses: short and long title.
LATENCIES = {
    "ttft": ("TTFT", "Time to First Token"),
    "tpot": ("TPOT", "Time per Output Token (excl. 1st token)"),
    "itl": ("ITL", "Inter-token Latency"),
    "e2el": ("E2EL", "End-to-end Latency"),
}


def block(outcomes: list[Outcome], seconds: float, latencies: list[str], percentiles: list[float]) -> str:
    """Returns the block for one run. `latencies` are keys of LATENCIES."""
    good = [outcome for outcome in outcomes if not outcome.error]
    output = sum(outcome.output_tokens for outcome in good)
    total = output + sum(outcome.input_tokens for outcome in good)
    lines = [
        " Serving Benchmark Result ".center(50, "="),
        _line("Total requests:", len(outcomes)),
        _line("Successful requests:", len(good)),
        _line("Failed requests:", len(outcomes) - len(good)),
        _line("Benchmark duration (s):", seconds),
        _line("Total input tokens:", total - output),
        _line("Total generated tokens:", output),
        _line("Request throughput (req/s):", len(good) / seconds),
        _line("Output token throughput (tok/s):", output / seconds),
        _line("Total Token throughput (tok/s):", total / seconds),
        _line("User throughput (tok/s):", mean([o.output_tokens / o.latency for o in good])),
    ]
    decoded = [o.decoded_per_iteration for o in good if o.decoded_per_iteration is not None]
    if decoded:
        lines.append(_line("Mean Avg Decoded Tokens per Iter:", mean(decoded)))
    for key in latencies:
        name, title = LATENCIES[key]
        lines += [title.center(50, "-"), *_latency_lines(name, _milliseconds(key, good), percentiles)]
    return "\n".join([*lines, "=" * 50])


def mean(values: list[float]) -> float:
    """Returns the average, 0 for nothing."""
    return sum(values) / len(values) if values else 0.0


def percentile(values: list[float], percent: float) -> float:
    """Returns a percentile, interpolated linearly between neighbours; 0 for nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _milliseconds(key: str, outcomes: list[Outcome]) -> list[float]:
    if key == "itl":
        seconds = [gap for outcome in outcomes for gap in outcome.gaps]
    elif key == "tpot":
        seconds = [outcome.tpot for outcome in outcomes if outcome.tpot is not None]
    else:
        seconds = [outcome.ttft if key == "ttft" else outcome.latency for outcome in outcomes]
    return [value * 1e3 for value in seconds]


def _latency_lines(name: str, values: list[float], percentiles: list[float]):
    yield _line(f"Mean {name} (ms):", mean(values))
    yield _line(f"Median {name} (ms):", percentile(values, 50))
    for percent in percentiles:
        yield _line(f"P{percent:g} {name} (ms):", percentile(values, percent))


def _line(label: str, value: float) -> str:
    return f"{label:<40} {value:<10.2f}" if isinstance(value, float) else f"{label:<40} {value:<10}"
