"""The integration test, played by all roles at once and by single ones."""

import re
import time

import perf_files
import pytest
from play import Job, make_case


@pytest.fixture
def job(tmp_path, request):
    running = Job(tmp_path, f"disagg-{getattr(request, 'param', 'e2e')}-tiny", make_case())
    yield running
    running.kill()


@pytest.mark.parametrize("job", ["e2e", "gen_only"], indirect=True)
def test_all_roles_pass_and_iteration_lines_come_from_the_launcher_when_asked(job):
    job.environment["SIM_FAULTS"] = "GEN_0:upstream-logs"
    job.start("GEN_0", "gen_server_0.log")
    job.start("CTX_0", "ctx_server_0.log")
    job.start("DISAGG_SERVER", "disagg_server.log")
    job.start("BENCHMARK", "benchmark.log")
    step_code = job.wait("GEN_0")
    (job.files / "gen_server_0.done").touch()
    assert step_code == job.wait("BENCHMARK") == job.wait("CTX_0") == job.wait("DISAGG_SERVER") == 0
    client = job.text("trtllm-benchmark.0.0.log")
    assert re.search(r"Successful requests: +" + ("4" if "e2e" in job.test_id else "2"), client)
    assert ("Average Per Iter Device Step Time (ms): " in client) == ("gen_only" in job.test_id)
    step, server = job.text("gen_server_0.log"), job.text("trtllm-serve.GEN_0.0.log")
    assert re.search(r"\[TRT-LLM\] \[I\] \[_torch\]\[RANK 0\] iter = 1, global_rank = 0,", step)
    assert ("iter = " in server, "model loaded" in server, "model loaded" in step) == (False, True, False)
    assert "model loaded" in job.text("ctx_server_0.log"), "without the fault all is passed on"


def test_a_failing_benchmark_repeats_the_ends_of_all_logs(job):
    for name in ("trtllm-serve.GEN_0.0.log", "ctx_server_0.log"):
        (job.files / name).write_text("".join(f"{name} says {i}.\n" for i in range(300)))
    bound = {"TRTLLM_TEST_DISAGG_SERVER_READY_TIMEOUT": "0"}
    job.start("BENCHMARK", "short.log", **bound)
    assert job.wait("BENCHMARK") == 1
    job.start("BENCHMARK", "long.log", SIM_FAULTS="BENCHMARK:long-exception", **bound)
    assert job.wait("BENCHMARK") == 1
    assert "E   RuntimeError: the coordinator writes" in job.text("long.log")
    for name in ("trtllm-serve.GEN_0.0.log", "ctx_server_0.log"):
        assert job.text("long.log").count(f"{name} says 100.") == 2, "in the traceback, and by -vv in the summary"
        assert f"{name} says 99." not in job.text("long.log")
        assert f"{name} says" not in job.text("short.log")


def test_malformed_faults_end_every_role_with_code_2(job):
    job.start("BENCHMARK", "benchmark.log", SIM_FAULTS="nonsense")
    assert job.wait("BENCHMARK") == 2
    assert "SIM_FAULTS: 'nonsense' is not ROLE" in job.text("benchmark.log")


@pytest.mark.parametrize("faults, pauses", [("GEN_0:slow-poll", [10, 10]), ("CTX_0:slow-poll", [0.5, 0.5])])
def test_workers_are_polled_as_often_as_upstream_does_only_when_asked(monkeypatch, faults, pauses):
    monkeypatch.setenv("SIM_FAULTS", faults)
    monkeypatch.setenv("DISAGG_SERVING_TYPE", "GEN_0")
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    perf_files.wait_until(lambda: len(slept) == 2, 10, 60, "two polls")
    assert slept == pauses
