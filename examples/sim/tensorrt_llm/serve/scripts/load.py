"""Sends the benchmark's requests, so many at a time, and measures each one."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tensorrt_llm.serve import client, completions
from tensorrt_llm.sim.faults import Faults


@dataclass
class Outcome:
    """What became of one request. Times are in seconds."""

    input_tokens: int
    error: str | None = None
    output_tokens: int = 0
    ttft: float = 0.0
    latency: float = 0.0
    gaps: list[float] = field(default_factory=list)


class Target:
    """The server to load, and what to ask of it: the same every time, since no tokens are computed."""

    def __init__(self, address: tuple[str, int], model: str, input_tokens: int, output_tokens: int):
        self.input_tokens = input_tokens
        self._address = address
        prompt = list(range(1, input_tokens + 1))
        fields = {"model": model, "prompt": prompt, "max_tokens": output_tokens, "ignore_eos": True, "stream": True}
        self._body = json.dumps(fields).encode()

    def ask(self) -> Outcome:
        """Sends one request and reads the answer to its end."""
        outcome = Outcome(self.input_tokens)
        start = time.perf_counter()
        try:
            with client.ask(self._address, completions.PATH, self._body) as response:
                if response.status != 200:
                    outcome.error = f"HTTP {response.status}: {response.read(200).decode(errors='replace')}"
                else:
                    _read_stream(response, outcome, start)
        except (OSError, ValueError) as error:
            outcome.error = outcome.error or f"{type(error).__name__}: {error}"
        outcome.latency = time.perf_counter() - start
        return outcome


def _read_stream(response, outcome: Outcome, start: float):
    """Reads a stream to its end. Every event carries a token, unless it is the last one or an error."""
    latest = start
    for data in completions.events(response):
        now = time.perf_counter()
        event = {} if data == completions.DONE else json.loads(data)
        if "error" in event:
            outcome.error = f"in the stream: {event['error']['message']}"
        elif event:
            outcome.output_tokens += 1
            if outcome.output_tokens == 1:
                outcome.ttft = now - start
            else:
                outcome.gaps.append(now - latest)
            latest = now


def run(target: Target, count: int, concurrency: int, faults: Faults) -> tuple[list[Outcome], float]:
    """Sends `count` requests, at most `concurrency` at once; returns the outcomes and the seconds it took."""

    def send(_number: int) -> Outcome:
        faults.stall_point()
        if faults.take_failed_request():
            return Outcome(target.input_tokens, "sim fault: never sent")
        return target.ask()

    start = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        outcomes = list(pool.map(send, range(count)))
    return outcomes, time.perf_counter() - start
