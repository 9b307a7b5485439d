"""What the role BENCHMARK does: wait for the coordinator, load it, judge the results, let everybody go."""

from __future__ import annotations

import os
from collections import deque

from perf_case import Case
from perf_clients import Address, Measurement, is_healthy
from perf_files import CaseFiles, wait_until
from perf_metrics import add_step_time

from tensorrt_llm import logger
from tensorrt_llm.sim import faults, yaml_file
from tensorrt_llm.sim.files import parse_address

_READY_SECONDS = 3600
_READY_VARIABLE = "TRTLLM_TEST_DISAGG_SERVER_READY_TIMEOUT"
_GEN_DONE_SECONDS = 120
_REPORTED_LINES = 200


def run_benchmark(case: Case, files: CaseFiles, checkout: str):
    """Plays BENCHMARK. Whatever happens, the servers are told at the end."""
    try:
        try:
            address = _wait_for_coordinator(case, files)
            Measurement(case.model, case.loads(), case.accuracy_tasks).run(address, files, checkout)
        finally:
            files.report_done()
        if case.decode_only and case.version.step_time_key and not case.only_accuracy:
            _add_step_time(case, files)
    except Exception as error:
        if faults.load(faults.TEST).active("long-exception"):
            raise RuntimeError(_with_logs(str(error), files.server_logs())) from error
        raise


def _wait_for_coordinator(case: Case, files: CaseFiles) -> Address:
    """Returns the coordinator's address once it says that all workers are ready."""
    timeout = float(os.environ.get(_READY_VARIABLE) or min(case.timeout, _READY_SECONDS))
    path = files.coordinator_address if case.version.address_option else files.coordinator_config
    wait_until(lambda: os.path.exists(path), 0.5, timeout, f"the coordinator writes {path}")
    if case.version.address_option:
        with open(path, encoding="utf-8") as file:
            address = parse_address(file.read())
    else:
        config = yaml_file.load(path)
        address = config["hostname"], config["port"]
    wait_until(lambda: is_healthy(address), 1, timeout, f"the coordinator at {address[0]}:{address[1]} is ready")
    return address


def _add_step_time(case: Case, files: CaseFiles):
    """Waits until the GEN logs are complete, and adds their step time to the log of the client."""
    steps = [files.path(f"gen_server_{i}") for i in range(case.num_gen)]
    done = [f"{step}.done" for step in steps]
    try:
        wait_until(lambda: all(map(os.path.exists, done)), 2, _GEN_DONE_SECONDS, "gen_server_*.done")
    except TimeoutError as error:
        logger.remark(f"{error}: the GEN logs may be cut short")
    add_step_time([f"{step}.log" for step in steps], case.version.step_time_key, files.client_log(0, 0))


def _with_logs(message: str, paths: list[str]) -> str:
    """Returns the message and the ends of all logs: upstream has one exception for everything."""
    parts = [message]
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            tail = "".join(deque(file, _REPORTED_LINES))
        parts += [f"--- {path} [last {_REPORTED_LINES} lines] ---", tail or "(empty)"]
    return "\n".join(parts)
