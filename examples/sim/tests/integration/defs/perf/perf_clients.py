"""Measuring a server that is ready: the clients, and what comes after them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from perf_files import CaseFiles
from perf_load import Load
from perf_metrics import problems
from perf_process import LoggedProcess

from tensorrt_llm.serve import client
from tensorrt_llm.sim.files import format_address, write_atomic

Address = tuple[str, int]


class Measurement:
    """What is to be measured of one server."""

    def __init__(self, model: str, loads: list[Load], accuracy_tasks: list[str], server: int = 0):
        self._model = model
        self._loads = loads
        self._accuracy_tasks = accuracy_tasks
        self._server = server

    def run(self, address: Address, files: CaseFiles, checkout: str, meanwhile: Callable[[], object] = lambda: None):
        """Runs the clients, one after the other, up to the first bad one, and then what accuracy is asked for."""
        for index, load in enumerate(self._loads):
            command = _command(self._model, load, address)
            _run_client(command, load, files.client_log(self._server, index), checkout, meanwhile)
        for task in self._accuracy_tasks:
            log = files.path(f"accuracy_eval_{task}.{self._server}.log")
            write_atomic(log, f"[sim] {task} is not evaluated at {format_address(*address)}\n")


def is_healthy(address: Address) -> bool:
    """Says whether the server at `address` is ready."""
    try:
        with client.ask(address, "/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def _run_client(command: list[str], load: Load, log: str, checkout: str, meanwhile: Callable[[], object]):
    """Measures one point and judges it."""
    # In an aggregated test the client is a child of another role.
    environment = os.environ | {"DISAGG_SERVING_TYPE": "BENCHMARK"} | load.environment
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [checkout, environment.get("PYTHONPATH")]))
    process = LoggedProcess(command, environment, log)
    try:
        code = process.wait(meanwhile)
    finally:
        process.stop()
    assert code == 0, f"the client {process.name} ended with code {code}; its last lines:\n{process.tail()}"
    found = problems(process.text(), load.semianalysis)
    assert not found, f"{process.name}: {'; '.join(found)}"


def _command(model: str, load: Load, address: Address) -> list[str]:
    module = "sa_benchmark_serving" if load.semianalysis else "benchmark_serving"
    command = [sys.executable, "-m", f"tensorrt_llm.serve.scripts.{module}"]
    command += ["--model", model, "--tokenizer", model]
    command += ["--num-prompts", str(load.concurrency * load.rounds), "--max-concurrency", str(load.concurrency)]
    command += ["--percentile-metrics", "ttft,tpot,itl,e2el", "--ignore-eos"]
    command += [] if load.warm_up or load.semianalysis else ["--no-test-input"]
    command += ["--dataset-name", "random", "--random-ids", "--tokenize-on-client"]
    command += ["--random-input-len", str(load.input_length), "--random-output-len", str(load.output_length)]
    command += ["--random-range-ratio", str(load.range_ratio)]
    host, port = address
    return command + ["--backend", "openai", "--trust-remote-code", "--host", host, "--port", str(port)]
