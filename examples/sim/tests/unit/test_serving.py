"""Workers, coordinator and client as real processes that talk over loopback."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from tensorrt_llm.serve import client
from tensorrt_llm.sim.files import parse_address
from tensorrt_llm.version import __version__

SERVE = [sys.executable, os.path.join(ROOT, "bin/trtllm-serve")]


class Job:
    """Servers started in one folder, gone when the test is."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}

    def start(self, role, *arguments, **environment):
        address = self.folder / f"{role}.addr"
        command = [*SERVE, *arguments, "--report_addr", str(address)]
        variables = os.environ | {"DISAGG_SERVING_TYPE": role, "SIM_STARTUP_SECONDS": "0.05"} | environment
        with open(self.folder / f"{role}.log", "wb") as log:
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        self.processes[role] = process
        # On a busy machine a fault can come before the address.
        wait_for(lambda: address.exists() or process.poll() is not None)
        return address.read_text() if address.exists() else ""

    def worker(self, role, config, **environment):
        path = self.folder / f"{role}.yaml"
        path.write_text(json.dumps({"internal_request_auth_key": "secret"} | config))
        options = ["--config", str(path), "--host", "127.0.0.1", "--port", "0"]
        return self.start(role, "tiny", *options, **environment)

    def coordinator(self, ctx, gen):
        config = {
            "hostname": "127.0.0.1",
            "port": 0,
            "internal_request_auth_key": "secret",
            "context_servers": {"num_instances": len(ctx), "urls": ctx},
            "generation_servers": {"num_instances": len(gen), "urls": gen},
        }
        path = self.folder / "server.yaml"
        path.write_text(json.dumps(config))
        address = self.start("DISAGG_SERVER", "disaggregated", "-c", str(path), "-t", "10", "-r", "10")
        wait_for(lambda: get(address, "/health")[0] == 200)
        return address

    def log(self, role):
        return (self.folder / f"{role}.log").read_text(errors="replace")

    def orphans(self, role):
        """Returns the processes besides the server that hold its log."""
        log = str(self.folder / f"{role}.log")
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and holds(pid, log)]

    def stop(self, role):
        self.processes[role].terminate()
        return self.processes[role].wait(timeout=5)


@pytest.fixture
def job(tmp_path):
    running = Job(tmp_path)
    yield running
    for role, process in running.processes.items():
        process.kill()
        process.wait()
        for orphan in running.orphans(role):
            os.kill(orphan, signal.SIGKILL)


def holds(pid, log):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read() == "sleep\n" and os.readlink(f"/proc/{pid}/fd/1") == log
    except OSError:  # it has ended, or is somebody else's
        return False


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def get(address, path, body=None, headers=None, timeout=5):
    """Returns status and body of an answer; None if none comes in time."""
    content = body and json.dumps(body).encode()
    try:
        with client.ask(parse_address(address), path, content, headers, timeout) as response:
            return response.status, response.read().decode()
    except TimeoutError:
        return None, ""


def start_benchmark(address, *options):
    host, port = address.split(":")
    command = [sys.executable, "-m", "tensorrt_llm.serve.scripts.benchmark_serving", "--model", "tiny"]
    command += ["--host", host, "--port", port, "--random-input-len", "32", *options]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": ROOT}, stdout=subprocess.PIPE, text=True)


def test_a_worker_loads_then_answers_then_stops(job):
    address = job.worker("GEN_0", {"print_iter_log": True}, SIM_STARTUP_SECONDS="0.8")
    assert get(address, "/health")[0] == 503
    assert json.loads(get(address, "/version")[1]) == {"version": __version__}
    wait_for(lambda: get(address, "/health")[0] == 200)
    prompt = {"prompt": [1, 2, 3], "max_tokens": 4}
    status, text = get(address, "/v1/completions", prompt)
    assert (status, json.loads(text)["usage"]["completion_tokens"]) == (200, 4)
    events = get(address, "/v1/completions", prompt | {"stream": True})[1].split("\n\n")
    assert (len(events), events[-2]) == (6, "data: [DONE]")
    assert job.stop("GEN_0") == 0
    line = r"RANK 0\] iter = \d+, .*num_scheduled_requests = 1,.* prev_device_step_time = [\d.]+ms,.*'num_gen"
    assert re.search(line, job.log("GEN_0"))


def test_internal_requests_need_the_key(job):
    address = job.worker("CTX_0", {})
    wait_for(lambda: get(address, "/health")[0] == 200)
    body = {"prompt": [1], "disaggregated_params": {"request_type": "context_only"}}
    assert get(address, "/v1/completions", body)[0] == 401
    status, text = get(address, "/v1/completions", body, {"X-Internal-Auth": "secret"})
    assert status == 200
    assert "ctx_request_id" in json.loads(text)["choices"][0]["disaggregated_params"]


def test_a_request_goes_through_context_and_generation(job):
    ctx = [job.worker(f"CTX_{i}", {"print_iter_log": True}) for i in range(2)]
    gen = [job.worker("GEN_0", {})]
    benchmark = start_benchmark(job.coordinator(ctx, gen), "--num-prompts", "8", "--max-concurrency", "4")
    output = benchmark.communicate(timeout=30)[0]
    assert benchmark.returncode == 0
    assert re.search(r"Successful requests: +8\b", output)
    assert re.search(r"Total generated tokens: +1024\b", output)
    for role in ("CTX_0", "CTX_1"):
        assert re.search(r"'num_ctx_tokens': [1-9]", job.log(role))


def test_a_worker_that_dies_fails_requests_and_health(job):
    ctx = [job.worker("CTX_0", {})]
    gen = [job.worker("GEN_0", {"sim_tpot_ms": 20, "print_iter_log": True})]
    address = job.coordinator(ctx, gen)
    benchmark = start_benchmark(address, "--num-prompts", "4", "--no-test-input", "--random-output-len", "500")
    wait_for(lambda: "num_scheduled_requests = 4" in job.log("GEN_0"))
    job.processes["GEN_0"].kill()
    output = benchmark.communicate(timeout=30)[0]
    assert benchmark.returncode == 1
    assert re.search(r"Failed requests: +4\b", output)
    assert "!FAILED REQUESTS!" in output
    wait_for(lambda: get(address, "/health")[0] == 503)
    assert gen[0] in get(address, "/health")[1]


@pytest.mark.parametrize(
    "fault, path, answers",
    [
        ("unready", "/health", [503]),
        ("unhealthy", "/health", [200]),
        ("hang", "/health", [None]),
        ("stall", "/health", [200]),
        ("stall", "/v1/completions", [None]),
        ("hang", "/v1/completions", [None]),
        ("failed-requests=1", "/v1/completions", [500, 200]),
        ("zero-tokens", "/v1/completions", [200]),
    ],
)
def test_faults_of_answers(job, fault, path, answers):
    address = job.worker("GEN_0", {}, SIM_FAULTS=f"GEN_0:{fault}")
    wait_for(lambda: "model loaded" in job.log("GEN_0"))
    body = {"prompt": [1], "max_tokens": 2} if path != "/health" else None
    got = [get(address, path, body, timeout=5 if status else 0.5) for status in answers]
    assert [status for status, _ in got] == answers
    if fault == "unhealthy":
        assert json.loads(got[0][1]) == {"status": "unhealthy"}
    if fault == "zero-tokens":
        assert json.loads(got[0][1])["usage"]["completion_tokens"] == 0
        assert get(address, path, body | {"stream": True})[1] == "data: [DONE]\n\n"


@pytest.mark.parametrize(
    "fault, code, output",
    [
        ("crash=3", 3, "RuntimeError: sim fault"),
        ("crash", 1, "RuntimeError: sim fault"),
        ("exit0", 0, ""),
        ("kill", -9, ""),
        ("long-line", None, "x" * 10_000_000),
        ("binary", None, "binary \0"),
        ("flood=50", None, "flood xxx"),
        ("oom=1", None, "holding 1 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_faults_that_are_acts(job, fault, code, output):
    job.worker("GEN_0", {}, SIM_FAULTS=f"GEN_0:{fault}@0.3")
    wait_for(lambda: output in job.log("GEN_0"))
    if code is not None:
        assert job.processes["GEN_0"].wait(timeout=5) == code


def test_faults_of_stopping(job):
    job.worker("GEN_0", {}, SIM_FAULTS="GEN_0:slow-stop=0.5")
    start = time.monotonic()
    assert job.stop("GEN_0") == 0
    assert time.monotonic() - start >= 0.5
    job.worker("CTX_0", {}, SIM_FAULTS="CTX_0:ignore-term")
    job.processes["CTX_0"].terminate()
    wait_for(lambda: "ignoring the signal" in job.log("CTX_0"))
    assert job.processes["CTX_0"].poll() is None


def test_orphans_hold_the_log_when_their_server_is_gone(job):
    job.worker("GEN_0", {}, SIM_FAULTS="GEN_0:orphans=2")
    wait_for(lambda: len(job.orphans("GEN_0")) == 2)
    assert job.stop("GEN_0") == 0
    sessions = {os.getsid(pid) for pid in job.orphans("GEN_0")}
    assert len(sessions - {os.getsid(0)}) == 2


@pytest.mark.parametrize(
    "config, reason",
    [
        ({"context_servers": {"num_instances": 2, "urls": ["h:1"]}}, "num_instances is 2 but there are 1 urls"),
        ({"generation_servers": {"num_instances": 1, "urls": ["h:1"]}}, "GEN_ONLY"),
        ({"generation_servers": {"num_instances": 1, "urls": ["h"]}}, "not host:port"),
    ],
)
def test_the_coordinator_refuses_a_config_that_cannot_work(tmp_path, config, reason):
    path = tmp_path / "server.yaml"
    path.write_text(json.dumps(config))
    run = subprocess.run([*SERVE, "disaggregated", "-c", path], capture_output=True, text=True, timeout=10)
    assert run.returncode == 1
    assert reason in run.stderr
    assert run.stderr.count("\n") == 1


def test_unknown_flags_are_refused():
    run = subprocess.run([*SERVE, "tiny", "--tensor_parallel", "2"], capture_output=True, text=True, timeout=10)
    assert run.returncode == 2


@pytest.mark.parametrize(
    "config, options, reason",
    [
        ({"mode": "e2e", "gpus": 4}, [], "unknown key gpus, mode"),
        ({"server_env_var": "A=1"}, [], "unknown key server_env_var"),
        ({"num_serve_frontends": 2}, ["--port", "0", "--report_addr", "address"], "num_serve_frontends is 2"),
    ],
)
def test_a_worker_refuses_a_config_that_cannot_work(tmp_path, config, options, reason):
    path = tmp_path / "worker.yaml"
    path.write_text(json.dumps(config))
    command = [*SERVE, "tiny", "--config", path, *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert run.returncode == 1
    assert reason in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("backend, code", [("_autodeploy", None), ("tensorrt", 2)])
def test_back_ends(backend, code):
    command = [*SERVE, "tiny", "--backend", backend, "--config", "/no/such/file"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert run.returncode == (code or 1)
    assert ("invalid choice" in run.stderr) == (code == 2)
