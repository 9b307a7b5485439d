"""What the roles GEN, CTX and DISAGG_SERVER do: start a server, and stop it when the benchmark is over."""

from __future__ import annotations

import os
import shutil
import socket

from perf_case import Case
from perf_files import CaseFiles, wait_until
from perf_process import LoggedProcess

from tensorrt_llm import logger
from tensorrt_llm.sim import files as sim_files
from tensorrt_llm.sim import yaml_writer

_CONFIG_WAIT_SECONDS = 600


def run_worker(case: Case, files: CaseFiles, checkout: str, kind: str, index: int):
    """Plays CTX_<index> or GEN_<index>; `kind` is ctx or gen."""
    role = f"{kind.upper()}_{index}"
    config = files.worker_config(kind, case.mode, case.name)
    if index == 0:
        key = case.auth_key or files.auth_key()
        sim_files.write_atomic(config, yaml_writer.dump(case.worker_config(kind, key)))
    wait_until(lambda: os.path.exists(config), 1, _CONFIG_WAIT_SECONDS, f"{kind.upper()}_0 writes {config}")
    command = [*_numa_prefix(case), program(checkout), case.model(), "--backend", "pytorch", "--config", config]
    command += ["--host", socket.gethostname(), "--port", "0", "--report_addr", files.address(role)]
    _serve(case, files, role, command, case.environment(kind))


def run_coordinator(case: Case, files: CaseFiles, checkout: str):
    """Plays DISAGG_SERVER."""
    expected = case.num_ctx + case.num_gen
    wait_until(lambda: len(files.worker_addresses()) >= expected, 10, case.timeout, f"{expected} address files")
    addresses = files.worker_addresses()
    ctx_urls = [address for role, address in addresses.items() if role.startswith("CTX_")]
    gen_urls = [address for role, address in addresses.items() if role.startswith("GEN_")]
    key = case.auth_key or files.auth_key()
    config = case.coordinator_config(socket.gethostname(), key, ctx_urls, gen_urls)
    sim_files.write_atomic(files.server_config, yaml_writer.dump(config))
    timeout = str(case.timeout)
    command = [program(checkout), "disaggregated", "-c", files.server_config, "-t", timeout, "-r", timeout]
    command += ["--report_addr", files.coordinator_address()]
    _serve(case, files, "DISAGG_SERVER", command, case.environment("server"))


def program(checkout: str) -> str:
    """Returns trtllm-serve from PATH, or from this checkout when PATH has none."""
    return shutil.which("trtllm-serve") or os.path.join(checkout, "bin/trtllm-serve")


def _numa_prefix(case: Case) -> list[str]:
    if not case.numa_bind:
        return []
    if not shutil.which("numactl") or not os.path.exists("/sys/devices/system/node/node1"):
        logger.remark("numa_bind is set, but this host has no numactl or only one memory node: not bound")
        return []
    return ["numactl", "-m", "0,1"]


def _serve(case: Case, files: CaseFiles, role: str, command: list[str], environment: dict[str, str]):
    """Runs a server until the benchmark is over; raises when it ends before."""
    server = LoggedProcess(command, os.environ | environment, files.server_log(role))

    def over() -> bool:
        code = server.poll()
        if files.is_done():
            return True
        if code is not None:
            raise RuntimeError(f"the server of {role} ended with code {code}; its last lines:\n{server.tail()}")
        return False

    try:
        wait_until(over, 10, case.timeout, "the end of the benchmark")
    finally:
        server.stop()
