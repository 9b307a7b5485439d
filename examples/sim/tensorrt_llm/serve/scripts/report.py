"""The result block that harnesses read with regular expressions: names and units are upstream's."""

from __future__ import annotations

from statistics import fmean, median, quantiles

from tensorrt_llm.serve.scripts.load import Outcome

# Short title, long title, values of one outcome in seconds.
_LATENCIES = (
    ("TTFT", "Time to First Token", lambda o: [o.ttft]),
    ("TPOT", "Time per Output Token (excl. 1st token)", lambda o: _per_token(o)),
    ("ITL", "Inter-token Latency", lambda o: o.gaps),
    ("E2EL", "End-to-end Latency", lambda o: [o.latency]),
)


# What the SemiAnalysis client does not print.
_DEFAULT_CLIENT_ONLY = ("Total requests:", "Failed requests:", "User throughput (tok/s):")


def block(outcomes: list[Outcome], seconds: float, semianalysis: bool = False) -> str:
    """Returns the block for one run, as the default client prints it or the SemiAnalysis client."""
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
        _line("User throughput (tok/s):", fmean([o.output_tokens / o.latency for o in good] or [0.0])),
    ]
    if semianalysis:
        lines = [line for line in lines if not line.startswith(_DEFAULT_CLIENT_ONLY)]
    for name, title, seconds_of in _LATENCIES:
        values = [value * 1e3 for outcome in good for value in seconds_of(outcome)] or [0.0]
        p99 = quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]
        lines += [title.center(50, "-"), _line(f"Mean {name} (ms):", fmean(values))]
        lines += [_line(f"Median {name} (ms):", median(values)), _line(f"P99 {name} (ms):", p99)]
    return "\n".join([*lines, "=" * 50])


def _per_token(outcome: Outcome) -> list[float]:
    following = outcome.output_tokens - 1
    return [(outcome.latency - outcome.ttft) / following] if following > 0 else []


def _line(label: str, value: float) -> str:
    return f"{label:<40} {value:<10.2f}" if isinstance(value, float) else f"{label:<40} {value:<10}"
