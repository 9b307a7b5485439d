"""Workers, coordinator and client as real processes that talk over loopback."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from conftest import ROOT

SERVE = [sys.executable, os.path.join(ROOT, "bin/trtllm-serve")]
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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
            self.processes[role] = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        wait_for(address.exists)
        return address.read_text()

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

    def stop(self, role):
        self.processes[role].terminate()
        return self.processes[role].wait(timeout=5)


@pytest.fixture
def job(tmp_path):
    running = Job(tmp_path)
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait()


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def get(address, path, body=None, headers=None):
    request = urllib.request.Request(f"http://{address}{path}", body and json.dumps(body).encode(), headers or {})
    try:
        with HTTP.open(request, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def start_benchmark(address, *options):
    host, port = address.split(":")
    command = [sys.executable, "-m", "tensorrt_llm.serve.scripts.benchmark_serving", "--model", "tiny"]
    command += ["--host", host, "--port", port, "--ignore-eos", "--random-input-len", "32", *options]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": ROOT}, stdout=subprocess.PIPE, text=True)


def test_a_worker_loads_then_answers_then_stops(job):
    address = job.worker("GEN_0", {"print_iter_log": True}, SIM_STARTUP_SECONDS="0.8")
    assert get(address, "/health")[0] == 503
    wait_for(lambda: get(address, "/health")[0] == 200)
    assert json.loads(get(address, "/server_info")[1])["startup_metrics"]["total_model_loading_seconds"] == 0.8
    prompt = {"prompt": [1, 2, 3], "max_tokens": 4}
    status, text = get(address, "/v1/completions", prompt)
    assert (status, json.loads(text)["usage"]["completion_tokens"]) == (200, 4)
    events = get(address, "/v1/completions", prompt | {"stream": True})[1].split("\n\n")
    assert (len(events), events[-2]) == (6, "data: [DONE]")
    assert job.stop("GEN_0") == 0
    line = r"iter = \d+, global_rank = 0.* prev_device_step_time = [\d.]+ ms.* num_scheduled_requests = 1.*'num_gen"
    assert re.search(line, (job.folder / "GEN_0.log").read_text())


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
    gen = [job.worker("GEN_0", {"speculative_config": {"max_draft_len": 2}, "stream_interval": 5})]
    client = start_benchmark(job.coordinator(ctx, gen), "--num-prompts", "8", "--max-concurrency", "4")
    output = client.communicate(timeout=30)[0]
    assert client.returncode == 0
    assert re.search(r"Successful requests: +8\b", output)
    assert re.search(r"Total generated tokens: +1024\b", output)
    assert re.search(r"Mean Avg Decoded Tokens per Iter: +(1\.9|2\.0)", output)
    for role in ("CTX_0", "CTX_1"):
        assert re.search(r"'num_ctx_tokens': [1-9]", (job.folder / f"{role}.log").read_text())


def test_a_worker_that_dies_fails_requests_and_health(job):
    ctx = [job.worker("CTX_0", {})]
    gen = [job.worker("GEN_0", {"sim_tpot_ms": 20, "print_iter_log": True})]
    address = job.coordinator(ctx, gen)
    client = start_benchmark(address, "--num-prompts", "4", "--no-test-input", "--random-output-len", "500")
    wait_for(lambda: "num_scheduled_requests = 4" in (job.folder / "GEN_0.log").read_text())
    job.processes["GEN_0"].kill()
    output = client.communicate(timeout=30)[0]
    assert client.returncode == 1
    assert re.search(r"Failed requests: +4\b", output)
    assert "!FAILED REQUESTS!" in output
    wait_for(lambda: get(address, "/health")[0] == 503)
    assert gen[0] in get(address, "/health")[1]


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
