"""Sends the benchmark's requests, so many at a time, and measures each one."""

from __future__ import annotations

import asyncio
import json
import time

from tensorrt_llm.serve import http_client
from tensorrt_llm.serve.app import stall_point
from tensorrt_llm.serve.scripts.workload import Prompt

_PATH = "/v1/completions"


class Outcome:
    """What became of one request. Times are in seconds."""

    def __init__(self, prompt: Prompt, error: str | None = None):
        self.input_tokens = prompt.input_tokens
        self.output_tokens = 0
        self.error = error
        self.ttft = 0.0
        self.latency = 0.0
        self.gaps: list[float] = []
        self.decoded_per_iteration: float | None = None

    @property
    def tpot(self) -> float | None:
        """Time per output token after the first."""
        return (self.latency - self.ttft) / (self.output_tokens - 1) if self.output_tokens > 1 else None


class Target:
    """The server to load, and how to ask it."""

    def __init__(self, host: str, port: int, model: str, stream: bool, ignore_eos: bool):
        self._host = host
        self._port = port
        self._stream = stream
        fields = {"model": model, "stream": stream, "ignore_eos": ignore_eos}
        if stream:
            fields["stream_options"] = {"include_usage": True}
        self._fields = json.dumps(fields)[:-1]

    async def ask(self, prompt: Prompt) -> Outcome:
        """Sends one request and reads the answer to its end."""
        outcome = Outcome(prompt)
        body = f'{self._fields}, "max_tokens": {prompt.output_tokens}, "prompt": {prompt.prompt_json}}}'.encode()
        start = time.perf_counter()
        try:
            async with http_client.request(self._host, self._port, "POST", _PATH, body) as response:
                if response.status != 200:
                    text = (await response.read())[:200].decode(errors="replace")
                    outcome.error = f"HTTP {response.status}: {text}"
                elif self._stream:
                    await self._read_stream(response, outcome, start)
                else:
                    _take(await response.json(), outcome)
                    outcome.ttft = time.perf_counter() - start
        except (OSError, ValueError, http_client.BrokenResponse) as error:
            outcome.error = f"{type(error).__name__}: {error}"
        outcome.latency = time.perf_counter() - start
        return outcome

    @staticmethod
    async def _read_stream(response: http_client.Response, outcome: Outcome, start: float):
        latest = start
        complete = False
        async for chunk in response.chunks():
            now = time.perf_counter()
            for event in chunk.split(b"\n\n"):
                data = event.removeprefix(b"data: ")
                if data == b"[DONE]":
                    complete = True
                elif data and _take(json.loads(data), outcome):
                    if latest == start:
                        outcome.ttft = now - start
                    else:
                        outcome.gaps.append(now - latest)
                    latest = now
        if not complete and not outcome.error:
            outcome.error = "the stream ended without [DONE]"


def _take(event: dict, outcome: Outcome) -> bool:
    """Notes what an answer or a part of one says; returns whether it carries tokens."""
    if "error" in event:
        outcome.error = f"in the stream: {event['error'].get('message')}"
        return False
    if usage := event.get("usage"):
        outcome.output_tokens = usage["completion_tokens"]
    for choice in event["choices"]:
        outcome.decoded_per_iteration = choice.get("avg_decoded_tokens_per_iter", outcome.decoded_per_iteration)
    return any(choice["text"] for choice in event["choices"])


async def run(target: Target, prompts: list[Prompt], concurrency: int, faults) -> tuple[list[Outcome], float]:
    """Sends all prompts, at most `concurrency` at once; returns the outcomes and the seconds it took."""
    queue = iter(prompts)
    outcomes: list[Outcome] = []

    async def lane():
        for prompt in queue:
            await stall_point(faults)
            if faults.take_failed_request():
                outcomes.append(Outcome(prompt, "sim fault: never sent"))
            else:
                outcomes.append(await target.ask(prompt))

    start = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(min(concurrency, len(prompts)))))
    return outcomes, time.perf_counter() - start
