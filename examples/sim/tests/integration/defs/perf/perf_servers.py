"""Starting servers, and what GEN, CTX and DISAGG_SERVER do: start one, and stop it when the benchmark is over."""

from __future__ import annotations

import os
import shutil
import socket

from perf_case import Case
from perf_files import CaseFiles, wait_until
from perf_load import Engine
from perf_process import LoggedProcess
from perf_version import Version

from tensorrt_llm.sim import faults, worker_config, yaml_file
from tensorrt_llm.sim.files import format_address, write_atomic

_CONFIG_WAIT_SECONDS = 600


def run_worker(case: Case, files: CaseFiles, checkout: str, kind: str, index: int):
    """Plays CTX_<index> or GEN_<index>; `kind` is ctx or gen."""
    role = f"{kind.upper()}_{index}"
    engine = case.engine(kind, case.auth_key or files.auth_key())
    config = files.path(f"extra-llm-api-config.{kind}.{case.mode}-{case.name}.yml")
    if index == 0:
        write_atomic(config, yaml_file.dump(engine.config))
    wait_until(lambda: os.path.exists(config), 1, _CONFIG_WAIT_SECONDS, f"{kind.upper()}_0 writes {config}")
    command = worker_command(engine, config, checkout)
    command += listen_options(case.version, engine, socket.gethostname(), files.worker_address(role))
    _serve(case, files, role, command, engine.environment)


def run_coordinator(case: Case, files: CaseFiles, checkout: str):
    """Plays DISAGG_SERVER."""
    expected = case.num_ctx + case.num_gen
    wait_until(lambda: len(files.worker_addresses()) >= expected, 10, case.timeout, f"{expected} address files")
    workers, host = files.worker_addresses(), socket.gethostname()
    command = coordinator_command(case, files, checkout, host, workers, files.coordinator_address)
    _serve(case, files, "DISAGG_SERVER", command, case.environment("server"))


def worker_command(engine: Engine, config: str, checkout: str) -> list[str]:
    """Returns the command of a worker, up to where it listens."""
    return [_program(checkout), engine.model, "--backend", engine.backend, "--config", config]


def listen_options(version: Version, engine: Engine, host: str, address: str) -> list[str]:
    """Returns the options that tell a worker where to listen. Its address comes to stand in the file `address`: the
    worker writes it, or this does, where the worker cannot choose a port."""
    if version.address_option and worker_config.frontends(engine.config) == 1:
        return ["--host", host, "--port", "0", version.address_option, address]
    port = _free_port()
    write_atomic(address, format_address(host, port))
    return ["--host", host, "--port", str(port)]


def coordinator_command(
    case: Case, files: CaseFiles, checkout: str, host: str, workers: dict[str, str], address: str
) -> list[str]:
    """Writes the coordinator's config and returns its command. `workers` are the addresses by role. The coordinator
    writes its own to the file `address`, or it stands in the config."""
    ctx_urls = [url for role, url in workers.items() if role.startswith("CTX_")]
    gen_urls = [url for role, url in workers.items() if role.startswith("GEN_")]
    option = case.version.address_option
    port = 0 if option else _free_port()
    key = case.auth_key or files.auth_key()
    config = case.coordinator_config(host, port, key, ctx_urls, gen_urls)
    write_atomic(files.coordinator_config, yaml_file.dump(config))
    command = [_program(checkout), "disaggregated", "-c", files.coordinator_config]
    command += ["-t", str(case.timeout), "-r", str(case.timeout)]
    return command + ([option, address] if option else [])


def _program(checkout: str) -> str:
    """Returns trtllm-serve from PATH, or from this checkout when PATH has none."""
    return shutil.which("trtllm-serve") or os.path.join(checkout, "bin/trtllm-serve")


def _free_port() -> int:
    """Finds a port that nobody holds after that either: somebody else may get it first, as upstream."""
    with socket.create_server(("", 0)) as probe:
        return probe.getsockname()[1]


def _serve(case: Case, files: CaseFiles, role: str, command: list[str], environment: dict[str, str]):
    """Runs a server until the benchmark is over; raises when it ends before."""
    echo = not faults.load(faults.TEST).active("upstream-logs")
    server = LoggedProcess(command, os.environ | environment, files.server_log(role), echo)

    def over() -> bool:
        code = server.poll()
        if not files.is_done() and code is not None:
            raise RuntimeError(f"the server of {role} ended with code {code}; its last lines:\n{server.tail()}")
        return files.is_done()

    try:
        wait_until(over, 10, case.timeout, "the end of the benchmark")
    finally:
        server.stop()
