"""The integration test, played by all roles at once and by single ones."""

import json
import os
import re
import subprocess
import sys
import time

import perf_files
import pytest
from conftest import ROOT


class Job:
    """Roles that are started in one folder, gone when the test is."""

    def __init__(self, folder, mode):
        self.test_id = f"disagg-{mode}-tiny"
        self.output = folder / "out"
        self.files = self.output / self.test_id
        self.files.mkdir(parents=True)
        self.processes = {}
        load = {"concurrency_list": 2, "multi_round": 2, "input_length": 8, "output_length": 16}
        worker = {"print_iter_log": True, "sim_startup_seconds": 0.05}
        case = {
            "metadata": {"model_name": "tiny"},
            "benchmark": load,
            "hardware": {"num_ctx_servers": 1, "num_gen_servers": 1},
            "worker_config": {"gen": worker, "ctx": worker},
        }
        (folder / "tiny.yaml").write_text(json.dumps(case))
        self.environment = os.environ | {"DISAGG_CONFIG_FOLDER": str(folder), "TRTLLM_PERF_RUN_TOKEN": "local"}

    def start(self, role, log, **environment):
        launcher = [sys.executable, os.path.join(ROOT, "bin/trtllm-llmapi-launch")] if role[0] in "GC" else []
        test = f"perf/test_perf_sanity.py::test_e2e[{self.test_id}]"
        with open(self.files / log, "wb") as file:
            self.processes[role] = subprocess.Popen(
                [*launcher, sys.executable, "-m", "pytest", "-vv", test, "--output-dir", str(self.output)],
                cwd=os.path.join(ROOT, "tests/integration/defs"),
                env=self.environment | {"DISAGG_SERVING_TYPE": role} | environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def wait(self, role):
        return self.processes[role].wait(timeout=30)

    def text(self, name):
        return (self.files / name).read_text()


@pytest.fixture
def job(tmp_path, request):
    running = Job(tmp_path, getattr(request, "param", "e2e"))
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait()


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
