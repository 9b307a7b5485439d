"""The aggregated path: one process starts the servers on its own host, loads them and stops them."""

from __future__ import annotations

import os
from typing import NamedTuple

from perf_case import CTX_ONLY, NO_CONTEXT, Case
from perf_clients import Address, Measurement, is_healthy
from perf_files import CaseFiles, wait_until
from perf_ids import CaseId
from perf_load import Engine, Load, engine, lengths, model_path, variables
from perf_metrics import add_step_time, mean_step_time
from perf_process import LoggedProcess
from perf_servers import coordinator_command, listen_options, worker_command
from perf_version import Version

from tensorrt_llm import logger
from tensorrt_llm.sim import faults, ranks, worker_config, yaml_file
from tensorrt_llm.sim.files import parse_address, write_atomic

_HOST = "localhost"
_READY_SECONDS = 3600
_READY_VARIABLE = "TRTLLM_TEST_SERVER_READY_TIMEOUT"
_STEP_LOG_SECONDS = 10  # that the output of this step may take to its file


class Entry(NamedTuple):
    """One server, and what is measured of it."""

    name: str
    engine: Engine
    loads: list[Load]
    accuracy_tasks: list[str]


def run_aggregated(case_id: CaseId, config: dict, version: Version, files: CaseFiles, checkout: str):
    """Plays all roles of an aggregated test."""
    if not case_id.mode:
        entries = config_entries(config, case_id.server)
        return _run_entries(entries, "GEN_0", version, files, checkout)
    case = Case(case_id, config, version)
    if case.mode == CTX_ONLY:
        entry = Entry(case.name, case.engine("ctx"), case.loads(), case.accuracy_tasks)
        return _run_entries([entry], "CTX_0", version, files, checkout)
    return _run_without_context(case, files, checkout)


def config_entries(config: dict, server: str, environ=os.environ) -> list[Entry]:
    """Returns the servers of an aggregated config, or the one that is named."""
    entries = []
    for block in config["server_configs"]:
        if server in ("", block["name"]):
            model = model_path(block.get("model_name") or config["metadata"]["model_name"], environ)
            served = engine(block, model, variables(block.get("server_env_var")))
            entries.append(Entry(block["name"], served, list(map(_load, block["client_configs"])), []))
    return entries


def _load(section: dict) -> Load:
    """Returns the load that an entry of client_configs asks for."""
    input_length, output_length = lengths(section, "isl", "osl")
    return Load(
        concurrency=section["concurrency"],
        rounds=section.get("iterations", 1),
        input_length=input_length,
        output_length=output_length,
        range_ratio=0.0,
        warm_up=True,
        semianalysis=bool(section.get("use_nv_sa_benchmark")),
        environment=variables(section.get("client_env_var")),
    )


def _run_entries(entries: list[Entry], role: str, version: Version, files: CaseFiles, checkout: str):
    """Runs one server after the other. They have the faults of this process's role, or of `role` if it has none."""
    role = ranks.role() or role
    for index, entry in enumerate(entries):
        config = files.path(f"extra-llm-api-config.aggr.{entry.name}.yml")
        address = files.path(f"trtllm-serve.{index}.addr")
        measurement = Measurement(entry.engine.model, entry.loads, entry.accuracy_tasks, index)
        with _Servers() as servers:
            command = _engine_command(entry.engine, config, address, version, checkout)
            servers.start(role, command, entry.engine.environment, files.path(f"trtllm-serve.{index}.log"))
            measurement.run(servers.wait_ready(address), files, checkout, servers.check)


def _run_without_context(case: Case, files: CaseFiles, checkout: str):
    """Measures decode alone: one worker, and a coordinator that has no context servers."""
    gen = case.engine("gen", case.auth_key or files.auth_key())
    assert worker_config.frontends(gen.config) == 1, f"{NO_CONTEXT}: num_serve_frontends must be 1"
    worker_address, address = files.path("GEN_0.0.addr"), files.path("trtllm-serve.0.addr")
    with _Servers() as servers:
        config = files.path(f"extra-llm-api-config.gen.{case.mode}-{case.name}.yml")
        command = _engine_command(gen, config, worker_address, case.version, checkout)
        servers.start(ranks.role() or "GEN_0", command, gen.environment, files.server_log("GEN_0"))
        url = servers.wait_address(worker_address)
        _remove(address)
        command = coordinator_command(case, files, checkout, _HOST, {"GEN_0": url}, address)
        servers.start("DISAGG_SERVER", command, case.environment("server"), files.path("trtllm-serve.0.log"))
        ready = servers.wait_ready(address)
        Measurement(case.model, case.loads(), case.accuracy_tasks).run(ready, files, checkout, servers.check)
    if case.loads():
        _add_step_time(files, case.version.step_time_key)


def _add_step_time(files: CaseFiles, key: str):
    """Adds the step time to the log of the client. It is in the output of this very step, which whoever started it
    writes to a file; nothing says when that has all of it."""
    log = files.path("gen_server_0.log")
    try:
        wait_until(lambda: mean_step_time(log, key) is not None, 2, _STEP_LOG_SECONDS, log)
    except TimeoutError as error:
        logger.remark(str(error))
    add_step_time([log], key, files.client_log(0, 0))


def _engine_command(served: Engine, config: str, address: str, version: Version, checkout: str) -> list[str]:
    """Writes the config of a worker and returns its command."""
    write_atomic(config, yaml_file.dump(served.config))
    _remove(address)
    return worker_command(served, config, checkout) + listen_options(version, served, _HOST, address)


def _remove(path: str):
    """Removes what an earlier run left."""
    if os.path.exists(path):
        os.remove(path)


class _Servers:
    """The servers that this process has started; they are stopped at the end of the block."""

    def __init__(self):
        self._running: list[LoggedProcess] = []
        self._timeout = float(os.environ.get(_READY_VARIABLE) or _READY_SECONDS)
        self._echo = not faults.load(faults.TEST).active("upstream-logs")

    def __enter__(self) -> _Servers:
        return self

    def __exit__(self, *_):
        for server in reversed(self._running):
            server.stop()

    def start(self, role: str, command: list[str], environment: dict[str, str], log: str):
        """Starts a server, which has the faults of `role`."""
        own = os.environ | {"DISAGG_SERVING_TYPE": role} | environment
        self._running.append(LoggedProcess(command, own, log, self._echo))

    def check(self):
        """Passes on what the servers print; raises when one has ended."""
        for server in self._running:
            if (code := server.poll()) is not None:
                raise RuntimeError(f"the server of {server.name} ended with code {code}:\n{server.tail()}")

    def wait_address(self, path: str) -> str:
        """Returns the address that a server writes to a file."""
        self._wait(lambda: os.path.exists(path), 0.5, f"the server writes {path}")
        with open(path, encoding="utf-8") as file:
            return file.read().strip()

    def wait_ready(self, path: str) -> Address:
        """Returns the address in a file once the server there is ready."""
        text = self.wait_address(path)
        address = parse_address(text)
        self._wait(lambda: is_healthy(address), 1, f"the server at {text} is ready")
        return address

    def _wait(self, condition, interval: float, what: str):
        def check() -> bool:
            self.check()
            return condition()

        wait_until(check, interval, self._timeout, what)
