"""The benchmark client: loads a server over HTTP and prints what it measured.

As upstream, failed requests do not change the exit code unless all fail: who wants a verdict must read the output.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from tensorrt_llm import logger
from tensorrt_llm.serve.app import raise_descriptor_limit
from tensorrt_llm.serve.scripts import load, report, workload
from tensorrt_llm.sim import faults as sim_faults


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # whoever follows the log wants each line when it is there
    faults = sim_faults.load()
    options = _parse(arguments)
    scale = workload.Scale()
    wanted = options.num_prompts
    options.num_prompts = scale.count(wanted)
    print(options)
    if options.num_prompts != wanted:
        logger.remark(f"requests scaled from {wanted} to {options.num_prompts} by SIM_REQUEST_SCALE")
    if scale.tokens != 1:
        logger.remark(f"token counts scaled by SIM_TOKEN_SCALE={scale.tokens:g}")
    try:
        prompts = _prompts(options, scale)
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.complain("benchmark_serving", f"cannot read the data set: {error}")
        return 1
    faults.arm(sim_faults.CLIENT)
    return asyncio.run(_benchmark(options, prompts, faults))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmark_serving", allow_abbrev=False)
    parser.add_argument("--backend", default="openai", choices=["openai"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", help="ignored: prompts are token ids")
    parser.add_argument("--dataset-name", default="random", choices=["random", "trtllm_custom"])
    parser.add_argument("--dataset-path", help="file for trtllm_custom")
    parser.add_argument("--num-prompts", type=int, default=1000)
    parser.add_argument("--max-concurrency", type=int, help="default: all requests at once")
    parser.add_argument("--random-input-len", type=int, default=1024)
    parser.add_argument("--random-output-len", type=int, default=128)
    parser.add_argument("--random-range-ratio", type=float, default=0.0)
    parser.add_argument("--random-ids", action="store_true", help="ignored: random prompts always are token ids")
    parser.add_argument("--tokenize-on-client", action="store_true", help="ignored, for the same reason")
    parser.add_argument("--trust-remote-code", action="store_true", help="ignored: no code is loaded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ignore-eos", action="store_true")
    parser.add_argument("--non-streaming", action="store_true")
    parser.add_argument("--no-test-input", action="store_true", help="skip the warm-up request")
    parser.add_argument("--percentile-metrics", type=_latencies, default="ttft,tpot,itl", help="and e2el")
    parser.add_argument("--metric-percentiles", type=_percentiles, default="99")
    return parser.parse_args(arguments)


def _latencies(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - report.LATENCIES.keys():
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


def _percentiles(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def _prompts(options: argparse.Namespace, scale: workload.Scale) -> list[workload.Prompt]:
    if options.dataset_name == "trtllm_custom":
        return workload.custom_prompts(options.dataset_path, options.num_prompts, scale)
    return workload.random_prompts(
        options.num_prompts,
        scale.length(options.random_input_len),
        scale.length(options.random_output_len),
        options.random_range_ratio,
        options.seed,
    )


async def _benchmark(options: argparse.Namespace, prompts: list[workload.Prompt], faults) -> int:
    _handle_term(faults)
    raise_descriptor_limit()
    target = load.Target(options.host, options.port, options.model, not options.non_streaming, options.ignore_eos)
    if not options.no_test_input:
        print("Starting initial single prompt test run...")
        outcome = await target.ask(prompts[0])
        if outcome.error:
            logger.complain("benchmark_serving", f"the test request failed: {outcome.error}")
            return 1
        print("Initial test run completed. Starting main benchmark run...")
    concurrency = options.max_concurrency or len(prompts)
    print(f"Maximum request concurrency: {concurrency}")
    outcomes, seconds = await load.run(target, prompts, concurrency, faults)
    print(report.block(outcomes, seconds, options.percentile_metrics, options.metric_percentiles))
    return _judge(outcomes)


def _judge(outcomes: list[load.Outcome]) -> int:
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        print(f"!FAILED REQUESTS! {len(errors)} of {len(outcomes)}, the first: {errors[0]}")
    return 1 if len(errors) == len(outcomes) else 0


def _handle_term(faults):
    """Dies of TERM and INT as usual, unless a fault says otherwise."""
    loop = asyncio.get_running_loop()

    def stop(number: int):
        if faults.active("ignore-term"):
            return
        loop.call_later(faults.argument("slow-stop"), leave, number)

    def leave(number: int):
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
