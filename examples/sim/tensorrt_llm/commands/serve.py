"""`trtllm-serve MODEL ...` starts one worker, `trtllm-serve disaggregated ...` the coordinator."""

from __future__ import annotations

import argparse

from tensorrt_llm import logger
from tensorrt_llm.commands.version import ADDRESS_OPTION
from tensorrt_llm.sim import faults as sim_faults
from tensorrt_llm.sim import worker_config, yaml_file

PROGRAM = "trtllm-serve"


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code when there is nothing to serve."""
    faults = sim_faults.load(sim_faults.SERVER)
    try:
        if arguments[:1] == ["disaggregated"]:
            _coordinator(arguments[1:], faults)
        else:
            _worker(arguments, faults)
    except (OSError, yaml_file.ConfigError) as error:
        logger.complain(PROGRAM, str(error))
    return 1


def _worker(arguments: list[str], faults: sim_faults.Faults):
    parser = argparse.ArgumentParser(PROGRAM, description="Serve one model from one engine.", allow_abbrev=False)
    parser.add_argument("model", help="model directory or bare name; nothing is read from it")
    parser.add_argument("--backend", default="pytorch", choices=["pytorch", "_autodeploy"])
    parser.add_argument("--config", help="worker config (YAML)")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000, help="0: any free port")
    _add_address_option(parser)
    options = parser.parse_args(arguments)
    config = yaml_file.load(options.config) if options.config else {}
    worker_config.check(config, options.config, options.port, options.report_addr)
    faults.arm()
    from tensorrt_llm.serve import server, worker

    service = worker.Worker(options.model, config, faults)
    server.serve(f"{options.model} server", service, options.host, options.port, options.report_addr, faults)


def _coordinator(arguments: list[str], faults: sim_faults.Faults):
    parser = argparse.ArgumentParser(f"{PROGRAM} disaggregated", allow_abbrev=False)
    parser.add_argument("-c", "--config_file", required=True, help="which workers there are (YAML)")
    parser.add_argument("-t", "--server_start_timeout", type=float, default=180, help="seconds to wait for workers")
    parser.add_argument("-r", "--request_timeout", type=float, default=180, help="seconds a worker may be silent")
    _add_address_option(parser)
    options = parser.parse_args(arguments)
    from tensorrt_llm.serve import disaggregated, server

    config = disaggregated.ServerConfig(yaml_file.load(options.config_file))
    faults.arm()
    service = disaggregated.Coordinator(config, options.server_start_timeout, options.request_timeout, faults)
    server.serve("disaggregated server", service, config.hostname, config.port, options.report_addr, faults)


def _add_address_option(parser: argparse.ArgumentParser):
    """Adds the option that this version may have."""
    parser.set_defaults(report_addr=None)
    if ADDRESS_OPTION:
        parser.add_argument(ADDRESS_OPTION, dest="report_addr", help="file to write host:port to, once bound")
