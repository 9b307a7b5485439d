"""`trtllm-serve MODEL ...` starts one worker, `trtllm-serve disaggregated ...` the coordinator."""

from __future__ import annotations

import argparse

from tensorrt_llm import logger
from tensorrt_llm.sim import faults as sim_faults
from tensorrt_llm.sim.yaml_reader import YamlError, load_file

PROGRAM = "trtllm-serve"


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    faults = sim_faults.load()
    if arguments[:1] == ["disaggregated"]:
        return _coordinator(arguments[1:], faults)
    return _worker(arguments, faults)


def _worker(arguments: list[str], faults) -> int:
    parser = argparse.ArgumentParser(PROGRAM, description="Serve one model from one engine.", allow_abbrev=False)
    parser.add_argument("model", help="model directory or bare name; nothing is read from it")
    parser.add_argument("--backend", default="pytorch", choices=["pytorch"])
    parser.add_argument("--config", help="worker config (YAML)")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000, help="0: any free port")
    parser.add_argument("--report_addr", help="file to write host:port to, once bound")
    options = parser.parse_args(arguments)
    config = _load(options.config) if options.config else {}
    faults.arm(sim_faults.SERVER)
    from tensorrt_llm.serve import worker

    return worker.serve(options.model, config, options.host, options.port, options.report_addr, faults)


def _coordinator(arguments: list[str], faults) -> int:
    parser = argparse.ArgumentParser(f"{PROGRAM} disaggregated", allow_abbrev=False)
    parser.add_argument("-c", "--config_file", required=True, help="which workers there are (YAML)")
    parser.add_argument("-t", "--server_start_timeout", type=float, default=180, help="seconds to wait for workers")
    parser.add_argument("-r", "--request_timeout", type=float, default=180, help="seconds one request may take")
    parser.add_argument("--report_addr", help="file to write host:port to, once bound")
    options = parser.parse_args(arguments)
    content = _load(options.config_file)
    from tensorrt_llm.serve import disaggregated

    try:
        config = disaggregated.ServerConfig(content)
    except disaggregated.ConfigError as error:
        logger.complain(f"{PROGRAM} disaggregated", f"{options.config_file}: {error}")
        return 1
    faults.arm(sim_faults.SERVER)
    return disaggregated.serve(
        config, options.server_start_timeout, options.request_timeout, options.report_addr, faults
    )


def _load(path: str) -> dict:
    """Returns the mapping in a YAML file; ends the process with one line when there is none."""
    try:
        config = load_file(path)
        if isinstance(config, dict):
            return config
        reason = f"{path}: not a mapping"
    except (OSError, YamlError) as error:
        reason = str(error)
    logger.complain(PROGRAM, reason)
    raise SystemExit(1)
