"""What the role BENCHMARK does: wait for the coordinator, load it, judge the results, let everybody go."""

from __future__ import annotations

import http.client
import os
import sys

from perf_case import E2E, Case
from perf_files import CaseFiles, wait_until
from perf_metrics import STEP_TIME, mean_step_time, problems
from perf_process import LoggedProcess

from tensorrt_llm import logger
from tensorrt_llm.sim import files as sim_files

_READY_SECONDS = 3600
_READY_VARIABLES = ("TRTLLM_TEST_DISAGG_SERVER_READY_TIMEOUT", "TRTLLM_TEST_SERVER_READY_TIMEOUT")
_GEN_DONE_SECONDS = 120
_ERROR_KEYWORDS = """RuntimeError|out of memory|ValueError|FileNotFoundError|ConnectionRefusedError
|ClientConnectorError|CancelledError|TimeoutError|PMI2_Init failed to initialize|OSError""".replace("\n", "").split("|")
_SCAN_EVERY_POLLS = 30


def run_benchmark(case: Case, files: CaseFiles, checkout: str):
    """Plays BENCHMARK. Whatever happens, the servers are told at the end."""
    try:
        host, port = _wait_for_coordinator(case, files)
        for index, concurrency in enumerate(case.concurrencies):
            _run_client(case, files, checkout, index, concurrency, host, port)
    finally:
        files.report_done()


def _wait_for_coordinator(case: Case, files: CaseFiles) -> tuple[str, int]:
    """Returns the coordinator's address once it says that all workers are ready."""
    bounds = [os.environ[name] for name in _READY_VARIABLES if os.environ.get(name)]
    timeout = float(bounds[0]) if bounds else min(case.timeout, _READY_SECONDS)
    path = files.coordinator_address()
    wait_until(lambda: os.path.exists(path), 0.5, timeout, f"the coordinator writes {path}")
    with open(path, encoding="utf-8") as file:
        host, port = sim_files.parse_address(file.read())
    polls = 0

    def ready() -> bool:
        nonlocal polls
        if polls % _SCAN_EVERY_POLLS == 0:
            _scan_server_logs(files)
        polls += 1
        return _is_healthy(host, port)

    wait_until(ready, 1, timeout, f"the coordinator at {host}:{port} is ready")
    return host, port


def _is_healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _scan_server_logs(files: CaseFiles):
    """Raises when a server's log says that it broke: nothing else would end the wait early."""
    for path in files.server_logs():
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if any(keyword in line for keyword in _ERROR_KEYWORDS):
                    raise RuntimeError(f"{os.path.basename(path)}: {line.strip()[:200]}")


def _run_client(case: Case, files: CaseFiles, checkout: str, index: int, concurrency: int, host: str, port: int):
    """Measures one point and judges it; stops the test at the first bad one."""
    offsets = [_size(files.gen_log(i)) for i in range(case.num_gen)]
    environment = os.environ | case.environment("client")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [checkout, environment.get("PYTHONPATH")]))
    client = LoggedProcess(_command(case, concurrency, host, port), environment, files.client_log(index))
    try:
        code = client.wait()
    finally:
        client.stop()
    assert code == 0, f"the client {client.name} ended with code {code}; its last lines:\n{client.tail()}"
    if case.mode != E2E:
        _add_step_time(case, files, client, offsets)
    found = problems(client.text(), case.speculative, case.mode != E2E, case.use_sa_benchmark)
    assert not found, f"{client.name}: {'; '.join(found)}"


def _command(case: Case, concurrency: int, host: str, port: int) -> list[str]:
    if case.use_sa_benchmark:
        logger.remark("use_nv_sa_benchmark: the sim has one client for both")
    prompts = str(concurrency * case.iterations)
    command = [sys.executable, "-m", "tensorrt_llm.serve.scripts.benchmark_serving"]
    command += ["--model", case.model(), "--tokenizer", case.model()]
    command += ["--num-prompts", prompts, "--max-concurrency", str(concurrency)]
    command += ["--percentile-metrics", "ttft,tpot,itl,e2el", "--ignore-eos"]
    if case.mode != E2E or case.use_sa_benchmark:
        command += ["--no-test-input"]
    if dataset := case.dataset():
        command += ["--dataset-name", "trtllm_custom", "--dataset-path", dataset]
    else:
        if case.dataset_name:
            logger.remark(f"there is no {case.dataset_name} below LLM_MODELS_ROOT: random prompts instead")
        command += ["--dataset-name", "random", "--random-ids", "--tokenize-on-client"]
        command += ["--random-input-len", str(case.input_length), "--random-output-len", str(case.output_length)]
        command += ["--random-range-ratio", str(case.range_ratio)]
    command += ["--backend", "openai"] + ([] if case.streaming else ["--non-streaming"])
    return command + ["--trust-remote-code", "--host", host, "--port", str(port)]


def _add_step_time(case: Case, files: CaseFiles, client: LoggedProcess, offsets: list[int]):
    """Lets the servers go, waits until the GEN logs are complete, and adds their step time to the client's log."""
    files.report_done()
    try:
        done = [files.gen_done(i) for i in range(case.num_gen)]
        wait_until(lambda: all(map(os.path.exists, done)), 2, _GEN_DONE_SECONDS, "gen_server_*.done")
    except TimeoutError as error:
        logger.remark(f"{error}: the GEN logs may be cut short")
    logs = [(files.gen_log(i), offsets[i]) for i in range(case.num_gen)]
    means = [mean_step_time(path, offset) for path, offset in logs if os.path.exists(path)]
    means = [value for value in means if value is not None]
    if means:
        line = f"{STEP_TIME} {sum(means) / len(means):.4f}"
        print(line, flush=True)
        with open(client.log_path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
