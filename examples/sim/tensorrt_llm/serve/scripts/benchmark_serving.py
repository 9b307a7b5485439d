"""The benchmark client: loads a server over HTTP and prints what it measured.

As upstream, failed requests do not change the exit code unless all fail: who wants a verdict must read the output.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from tensorrt_llm import logger
from tensorrt_llm.serve import client
from tensorrt_llm.serve.scripts import load, report
from tensorrt_llm.sim import faults as sim_faults

PROGRAM = "benchmark_serving"
_SCALE_VARIABLE = "SIM_REQUEST_SCALE"


def main(arguments: list[str], semianalysis: bool = False) -> int:
    """Runs the command line; returns the exit code. `semianalysis`: as the SemiAnalysis client does, which counts no
    failures."""
    sys.stdout.reconfigure(line_buffering=True)  # whoever follows the log wants each line when it is there
    faults = sim_faults.load(sim_faults.CLIENT)
    options = _parse(arguments)
    wanted = options.num_prompts
    options.num_prompts = max(1, round(wanted * float(os.environ.get(_SCALE_VARIABLE) or 1)))
    print(options)
    if options.num_prompts != wanted:
        logger.remark(f"requests scaled from {wanted} to {options.num_prompts} by {_SCALE_VARIABLE}")
    _handle_signals(faults)
    faults.arm()
    client.raise_descriptor_limit()
    return _benchmark(options, faults, semianalysis)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(PROGRAM, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", required=True)
    parser.add_argument("--num-prompts", type=int, default=1000)
    parser.add_argument("--max-concurrency", type=int, help="default: all requests at once")
    parser.add_argument("--random-input-len", type=int, default=1024)
    parser.add_argument("--random-output-len", type=int, default=128)
    parser.add_argument("--no-test-input", action="store_true", help="skip the warm-up request")
    # What upstream's test asks for and makes no difference here.
    parser.add_argument("--backend", choices=["openai"])
    parser.add_argument("--dataset-name", choices=["random"])
    for name in ("--tokenizer", "--percentile-metrics", "--random-range-ratio"):
        parser.add_argument(name)
    for name in ("--random-ids", "--tokenize-on-client", "--trust-remote-code", "--ignore-eos"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args(arguments)


def _benchmark(options: argparse.Namespace, faults: sim_faults.Faults, semianalysis: bool) -> int:
    address = options.host, options.port
    target = load.Target(address, options.model, options.random_input_len, options.random_output_len)
    if semianalysis or not options.no_test_input:
        print("Starting initial single prompt test run...")
        outcome = target.ask()
        if outcome.error:
            logger.complain(PROGRAM, f"the test request failed: {outcome.error}")
            return 1
        print("Initial test run completed. Starting main benchmark run...")
    concurrency = options.max_concurrency or options.num_prompts
    print(f"Maximum request concurrency: {concurrency}")
    outcomes, seconds = load.run(target, options.num_prompts, concurrency, faults)
    print(report.block(outcomes, seconds, semianalysis))
    if semianalysis:
        return 0
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        print(f"!FAILED REQUESTS! {len(errors)} of {len(outcomes)}, the first: {errors[0]}")
    return 1 if len(errors) == len(outcomes) else 0


def _handle_signals(faults: sim_faults.Faults):
    """Dies of TERM and INT as usual, unless a fault says otherwise."""

    def stop(number: int, _frame):
        if not faults.active("ignore-term"):
            time.sleep(faults.argument("slow-stop"))  # the threads go on
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    if faults.planned("ignore-term", "slow-stop"):  # a handler runs only when the main thread gets to it
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
