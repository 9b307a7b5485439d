"""What the role BENCHMARK does: wait for the coordinator, load it, judge the results, let everybody go."""

from __future__ import annotations

import os
import sys
from collections import deque

from perf_case import E2E, Case
from perf_files import CaseFiles, wait_until
from perf_metrics import STEP_TIME, mean_step_time, problems
from perf_process import LoggedProcess

from tensorrt_llm import logger
from tensorrt_llm.serve import client
from tensorrt_llm.sim import faults
from tensorrt_llm.sim.files import parse_address

_READY_SECONDS = 3600
_READY_VARIABLE = "TRTLLM_TEST_DISAGG_SERVER_READY_TIMEOUT"
_GEN_DONE_SECONDS = 120
_REPORTED_LINES = 200


def run_benchmark(case: Case, files: CaseFiles, checkout: str):
    """Plays BENCHMARK. Whatever happens, the servers are told at the end."""
    try:
        try:
            host, port = _wait_for_coordinator(case, files)
            for index, concurrency in enumerate(case.concurrencies):
                _run_client(case, files, checkout, index, _command(case, concurrency, host, port))
        finally:
            files.report_done()
        if case.mode != E2E:
            _add_step_time(case, files)
    except Exception as error:
        if faults.load(faults.TEST).active("long-exception"):
            raise RuntimeError(_with_logs(str(error), files.server_logs())) from error
        raise


def _wait_for_coordinator(case: Case, files: CaseFiles) -> tuple[str, int]:
    """Returns the coordinator's address once it says that all workers are ready."""
    timeout = float(os.environ.get(_READY_VARIABLE) or min(case.timeout, _READY_SECONDS))
    path = files.coordinator_address
    wait_until(lambda: os.path.exists(path), 0.5, timeout, f"the coordinator writes {path}")
    with open(path, encoding="utf-8") as file:
        host, port = parse_address(file.read())
    wait_until(lambda: _is_healthy((host, port)), 1, timeout, f"the coordinator at {host}:{port} is ready")
    return host, port


def _is_healthy(address: tuple[str, int]) -> bool:
    try:
        with client.ask(address, "/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def _run_client(case: Case, files: CaseFiles, checkout: str, index: int, command: list[str]):
    """Measures one point and judges it; stops the test at the first bad one."""
    environment = os.environ | case.environment("client")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [checkout, environment.get("PYTHONPATH")]))
    process = LoggedProcess(command, environment, files.path(f"trtllm-benchmark.0.{index}.log"))
    try:
        code = process.wait()
    finally:
        process.stop()
    assert code == 0, f"the client {process.name} ended with code {code}; its last lines:\n{process.tail()}"
    found = problems(process.text())
    assert not found, f"{process.name}: {'; '.join(found)}"


def _command(case: Case, concurrency: int, host: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "tensorrt_llm.serve.scripts.benchmark_serving"]
    command += ["--model", case.model, "--tokenizer", case.model]
    command += ["--num-prompts", str(concurrency * case.iterations), "--max-concurrency", str(concurrency)]
    command += ["--percentile-metrics", "ttft,tpot,itl,e2el", "--ignore-eos"]
    command += [] if case.mode == E2E else ["--no-test-input"]
    command += ["--dataset-name", "random", "--random-ids", "--tokenize-on-client"]
    command += ["--random-input-len", str(case.input_length), "--random-output-len", str(case.output_length)]
    command += ["--random-range-ratio", str(case.range_ratio)]
    return command + ["--backend", "openai", "--trust-remote-code", "--host", host, "--port", str(port)]


def _add_step_time(case: Case, files: CaseFiles):
    """Waits until the GEN logs are complete, and adds their step time to the log of the client, which is the only one
    outside of e2e."""
    steps = [files.path(f"gen_server_{i}") for i in range(case.num_gen)]
    done = [f"{step}.done" for step in steps]
    try:
        wait_until(lambda: all(map(os.path.exists, done)), 2, _GEN_DONE_SECONDS, "gen_server_*.done")
    except TimeoutError as error:
        logger.remark(f"{error}: the GEN logs may be cut short")
    means = [mean for step in steps if (mean := mean_step_time(f"{step}.log")) is not None]
    assert means, "no gen_server_*.log has a line with prev_device_step_time"
    line = f"{STEP_TIME} {sum(means) / len(means):.4f}"
    print(line, flush=True)
    with open(files.path("trtllm-benchmark.0.0.log"), "a", encoding="utf-8") as file:
        file.write(line + "\n")


def _with_logs(message: str, paths: list[str]) -> str:
    """Returns the message and the ends of all logs: upstream has one exception for everything."""
    parts = [message]
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            tail = "".join(deque(file, _REPORTED_LINES))
        parts += [f"--- {path} [last {_REPORTED_LINES} lines] ---", tail or "(empty)"]
    return "\n".join(parts)
