"""What the client prints and the harness reads must be the same thing."""

import re

import pytest
from perf_metrics import mean_step_time, problems

from tensorrt_llm.serve.scripts import report
from tensorrt_llm.serve.scripts.load import Outcome


def outcome(output_tokens=11, error=None, latency=1.5):
    return Outcome(100, error, output_tokens, 0.5, latency, [0.1] * 10)


def block(*outcomes):
    return report.block(list(outcomes), 2.0)


@pytest.mark.parametrize(
    "label, value",
    [
        ("Successful requests", "4"),
        ("Failed requests", "1"),
        ("Request throughput (req/s)", "2.00"),
        ("Output token throughput (tok/s)", "22.00"),
        ("Total Token throughput (tok/s)", "222.00"),
        ("User throughput (tok/s)", "6.42"),
        ("Mean TTFT (ms)", "500.00"),
        ("Median TPOT (ms)", "100.00"),
        ("P99 ITL (ms)", "100.00"),
        ("Mean E2EL (ms)", "1875.00"),
        ("Median E2EL (ms)", "1500.00"),
        ("P99 E2EL (ms)", "2955.00"),
    ],
)
def test_the_block_has_upstreams_lines(label, value):
    text = block(*[outcome()] * 3, outcome(latency=3.0), outcome(error="broken", latency=9.0))
    assert re.search(rf"^{re.escape(label)}: +{value} *$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "text, expected",
    [
        (block(outcome()), []),
        (block(outcome(), outcome(error="broken")), ["1 failed requests"]),
        (block(outcome(output_tokens=0)), ["not a single output token"]),
        (block(), ["not a single output token"]),
        ("Traceback", ["no result block"]),
    ],
)
def test_problems_are_named(text, expected):
    assert problems(text) == expected


def test_step_time_is_that_of_the_most_common_batch(tmp_path):
    log = tmp_path / "gen_server_0.log"
    rows = [(1, "N/A", 8), (4, "900ms", 8), (5, "2.5ms", 8), (6, "500ms", 4), (7, "3.5ms", 8)]
    line = "[I] iter = {}, global_rank = 0, prev_device_step_time = {}, states = {{'num_generation_tokens': {}}}\n"
    log.write_bytes(b"\xff\x00 noise\n" + "".join(line.format(*row) for row in rows).encode())
    assert mean_step_time(str(log)) == 3.0
    log.write_text("iter = 5, nothing else\n")
    assert mean_step_time(str(log)) is None
