"""What the client prints and the harness reads must be the same thing."""

import re

import pytest
from perf_metrics import add_step_time, mean_step_time, problems

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


def test_the_semianalysis_client_prints_less():
    text = report.block([outcome()] * 3 + [outcome(error="broken")], 2.0, semianalysis=True)
    assert not re.search("Total requests|Failed requests|User throughput", text)
    assert set(text.splitlines()) < set(block(*[outcome()] * 3, outcome(error="broken")).splitlines())


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ("Namespace(num_prompts=1)\n", []),
        ("Namespace(num_prompts=3)\n", ["2 failed requests"]),
        ("", ["no result block"]),
    ],
)
def test_of_the_semianalysis_client_successes_are_counted(wanted, expected):
    text = wanted + report.block([outcome(), outcome(error="broken")], 2.0, semianalysis=True)
    assert problems(text, semianalysis=True) == expected


def test_step_time_is_that_of_the_most_common_batch(tmp_path):
    log = tmp_path / "gen_server_0.log"
    rows = [(1, "N/A", 8), (4, "900ms", 8), (5, "2.5ms", 8), (6, "500ms", 4), (7, "3.5ms", 8)]
    line = "[I] iter = {}, global_rank = 0, prev_device_step_time = {}, states = {{'num_generation_tokens': {}}}\n"
    log.write_bytes(b"\xff\x00 noise\n" + "".join(line.format(*row) for row in rows).encode())
    assert mean_step_time(str(log), "prev_device_step_time") == 3.0
    assert mean_step_time(str(log), "another_time") is None
    log.write_text("iter = 5, nothing else\n")
    assert mean_step_time(str(log), "prev_device_step_time") is None
    assert mean_step_time(str(tmp_path / "gone.log"), "prev_device_step_time") is None


def test_step_time_is_the_mean_over_the_logs(tmp_path):
    line = "[I] iter = 5, prev_device_step_time = {}ms, states = {{'num_generation_tokens': 8}}\n"
    for name, value in (("one.log", 1), ("two.log", 2)):
        (tmp_path / name).write_text(line.format(value))
    (tmp_path / "client.log").write_text("block\n")
    logs = [str(tmp_path / name) for name in ("one.log", "two.log")]
    add_step_time(logs, "prev_device_step_time", str(tmp_path / "client.log"))
    assert (tmp_path / "client.log").read_text() == "block\nAverage Per Iter Device Step Time (ms): 1.5000\n"
    with pytest.raises(AssertionError, match="no line with prev_device_step_time in .*gone.log"):
        add_step_time([str(tmp_path / "gone.log")], "prev_device_step_time", str(tmp_path / "client.log"))
