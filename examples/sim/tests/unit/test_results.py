"""What the client prints and the harness reads must be the same thing."""

from perf_metrics import mean_step_time, parse_metrics, problems

from tensorrt_llm.serve.scripts import report
from tensorrt_llm.serve.scripts.load import Outcome
from tensorrt_llm.serve.scripts.workload import Prompt

LATENCIES = ["ttft", "tpot", "itl", "e2el"]


def outcome(output_tokens=11, decoded=None, error=None):
    made = Outcome(Prompt("[1]", 100, output_tokens), error)
    made.output_tokens, made.decoded_per_iteration = output_tokens, decoded
    made.ttft, made.latency, made.gaps = 0.5, 1.5, [0.1] * 10
    return made


def block(outcomes):
    return report.block(outcomes, 2.0, LATENCIES, [99.0])


def test_every_metric_is_found():
    metrics = parse_metrics(block([outcome(decoded=2.5)] * 4), speculative=True, gen_only=False)
    assert len(metrics) == 17
    assert metrics["seq_throughput"] == 2.0
    assert metrics["token_throughput"] == 22.0
    assert metrics["total_token_throughput"] == 222.0
    assert metrics["user_throughput"] == 7.33
    assert metrics["al"] == 2.5
    assert (metrics["mean_ttft"], metrics["median_tpot"], metrics["p99_itl"]) == (500.0, 100.0, 100.0)
    assert metrics["mean_e2el"] == 1500.0


def test_a_good_log_has_no_problems():
    assert problems(block([outcome()]), speculative=False, gen_only=False, check_count=False) == []


def test_problems_are_named():
    text = block([outcome(output_tokens=0), outcome(error="broken")])
    found = problems("Namespace(num_prompts=3)\n" + text, speculative=True, gen_only=True, check_count=True)
    assert found[0] == "1 failed requests"
    assert found[1] == "missing metrics: al, mean_gen_worker_per_iter_device_step_time"
    assert found[2] == "not a single output token"
    assert found[3] == "the number of successful requests is not num_prompts"


def test_percentiles_are_interpolated():
    assert report.percentile([1, 2, 3, 4], 50) == 2.5
    assert report.percentile([5], 99) == 5
    assert report.percentile([], 99) == 0


def row(iteration, step, tokens, scheduled=1, rank=0):
    return (
        f"[I] iter = {iteration}, global_rank = {rank}, prev_device_step_time = {step} ms, "
        f"num_scheduled_requests = {scheduled}, states = {{'num_generation_tokens': {tokens}}}\n"
    )


def test_step_time_takes_full_batches_and_no_idle_time(tmp_path):
    log = tmp_path / "gen_server_0.log"
    skipped = row(6, 1000, 8) + row(7, 1, 8)
    rows = [
        row(4, 900, 8),  # too early
        row(5, 2, 8),
        row(6, 4, 8),
        row(7, 500, 4),  # not the common batch
        row(8, 3, 0, scheduled=0),
        row(9, 800, 8),  # the iteration before was idle
        row(9, 6, 8, rank=1),  # but not on this rank
        "iter = 10, nothing else\n",
    ]
    log.write_bytes(skipped.encode() + b"\xff\x00 noise\n" + "".join(rows).encode())
    assert mean_step_time(str(log), len(skipped)) == 4.0


def test_step_time_without_token_counts_takes_all_rows(tmp_path):
    log = tmp_path / "gen_server_0.log"
    log.write_text("iter = 5, prev_device_step_time = 2.0ms\niter = 6, prev_device_step_time = 4.0ms\n")
    assert mean_step_time(str(log), 0) == 3.0
    assert mean_step_time(str(log), 1000) is None
