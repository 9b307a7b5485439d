"""What the roles GEN, CTX and DISAGG_SERVER do: start a server, and stop it when the benchmark is over."""

from __future__ import annotations

import os
import shutil
import socket

from perf_case import Case
from perf_files import CaseFiles, wait_until
from perf_process import LoggedProcess

from tensorrt_llm.sim import faults, yaml_file
from tensorrt_llm.sim.files import write_atomic

_CONFIG_WAIT_SECONDS = 600


def run_worker(case: Case, files: CaseFiles, checkout: str, kind: str, index: int):
    """Plays CTX_<index> or GEN_<index>; `kind` is ctx or gen."""
    role = f"{kind.upper()}_{index}"
    config = files.path(f"extra-llm-api-config.{kind}.{case.mode}-{case.name}.yml")
    if index == 0:
        key = case.auth_key or files.auth_key()
        write_atomic(config, yaml_file.dump(case.worker_config(kind, key)))
    wait_until(lambda: os.path.exists(config), 1, _CONFIG_WAIT_SECONDS, f"{kind.upper()}_0 writes {config}")
    command = [_program(checkout), case.model, "--backend", "pytorch", "--config", config]
    address = os.path.join(files.addresses, f"{role}.txt")
    command += ["--host", socket.gethostname(), "--port", "0", "--report_addr", address]
    _serve(case, files, role, command, case.environment(kind))


def run_coordinator(case: Case, files: CaseFiles, checkout: str):
    """Plays DISAGG_SERVER."""
    expected = case.num_ctx + case.num_gen
    wait_until(lambda: len(files.worker_addresses()) >= expected, 10, case.timeout, f"{expected} address files")
    addresses = files.worker_addresses()
    ctx_urls = [address for role, address in addresses.items() if role.startswith("CTX_")]
    gen_urls = [address for role, address in addresses.items() if role.startswith("GEN_")]
    key = case.auth_key or files.auth_key()
    config = files.path("server_config.0.yaml")
    write_atomic(config, yaml_file.dump(case.coordinator_config(socket.gethostname(), key, ctx_urls, gen_urls)))
    timeout = str(case.timeout)
    command = [_program(checkout), "disaggregated", "-c", config, "-t", timeout, "-r", timeout]
    command += ["--report_addr", files.coordinator_address]
    _serve(case, files, "DISAGG_SERVER", command, case.environment("server"))


def _program(checkout: str) -> str:
    """Returns trtllm-serve from PATH, or from this checkout when PATH has none."""
    return shutil.which("trtllm-serve") or os.path.join(checkout, "bin/trtllm-serve")


def _serve(case: Case, files: CaseFiles, role: str, command: list[str], environment: dict[str, str]):
    """Runs a server until the benchmark is over; raises when it ends before."""
    echo = not faults.load(faults.TEST).active("upstream-logs")
    server = LoggedProcess(command, os.environ | environment, files.path(f"trtllm-serve.{role}.0.log"), echo)

    def over() -> bool:
        code = server.poll()
        if not files.is_done() and code is not None:
            raise RuntimeError(f"the server of {role} ended with code {code}; its last lines:\n{server.tail()}")
        return files.is_done()

    try:
        wait_until(over, 10, case.timeout, "the end of the benchmark")
    finally:
        server.stop()
