"""The engine: an iteration loop with continuous batching, whose steps take time instead of computing.

Each iteration admits waiting requests, sleeps for as long as the step would take, hands every running request its
tokens and writes the log line that tests read. Prefill costs time by input tokens, decoding a fixed time per step.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque

from tensorrt_llm import logger
from tensorrt_llm.serve.app import stall_point


class EngineOptions:
    """The keys of a worker config that the engine acts on, and the sim's own."""

    def __init__(self, config: dict, environ=os.environ):
        tensor_parallel = config.get("tensor_parallel_size", 1)
        replicas = tensor_parallel if config.get("enable_attention_dp") else 1
        draft = config.get("speculative_config") or {}
        self.startup_seconds = float(environ.get("SIM_STARTUP_SECONDS") or config.get("sim_startup_seconds", 0.3))
        self.prefill_seconds_per_token = float(config.get("sim_prefill_ms_per_1k_tokens", 1.0)) / 1e6
        self.decode_seconds = float(config.get("sim_tpot_ms", 1.0)) / 1e3
        self.max_batch_size = config.get("max_batch_size", 2048) * replicas
        self.max_num_tokens = config.get("max_num_tokens", 8192) * replicas
        self.stream_interval = config.get("stream_interval", 1)
        self.print_iter_log = bool(config.get("print_iter_log", False))
        self.draft_length = draft.get("max_draft_len", draft.get("num_nextn_predict_layers", 0))
        self.tokens_per_step = 1.0 + self._accepted(environ)
        # gen_only measures full batches: decoding starts once this many requests are there.
        self.fill_target = int(environ.get("TLLM_BENCHMARK_REQ_QUEUES_SIZE") or 0)
        self.fill_patience_seconds = float(config.get("sim_fill_patience_seconds", 1.0))

    def _accepted(self, environ) -> float:
        """Draft tokens accepted per step: forced by the environment as upstream allows, else half of the draft."""
        if not self.draft_length:
            return 0.0
        return float(environ.get("TLLM_SPEC_DECODE_FORCE_NUM_ACCEPTED_TOKENS") or self.draft_length / 2)


class Sequence:
    """One request inside the engine. The server awaits `next_tokens` until it returns 0."""

    def __init__(self, input_tokens: int, max_tokens: int, needs_prefill: bool):
        self.input_tokens = input_tokens
        self.max_tokens = max_tokens
        self.needs_prefill = needs_prefill
        # A request that was prefilled elsewhere arrives with its first token.
        self.produced = 0.0 if needs_prefill else 1.0
        self.steps = 0
        self.cancelled = False
        self._handed_out = 0
        self._ready = 0
        self._event = asyncio.Event()

    @property
    def finished(self) -> bool:
        """Whether all its tokens are made."""
        return self.produced >= self.max_tokens

    @property
    def decoded_per_step(self) -> float:
        """Average tokens per decoding step so far; the first token comes from prefill."""
        return (self._handed_out - 1) / self.steps if self.steps else 1.0

    async def next_tokens(self) -> int:
        """Waits for tokens and returns how many there are; 0 means that there will be no more."""
        while not self._ready:
            if self._handed_out >= self.max_tokens:
                return 0
            await self._event.wait()
            self._event.clear()
        count, self._ready = self._ready, 0
        return count

    def advance(self, tokens: float, stream_interval: int):
        """Adds tokens and wakes the server once enough of them wait to be sent."""
        self.produced = min(self.produced + tokens, self.max_tokens)
        waiting = int(self.produced) - self._handed_out
        if waiting and (self.finished or not self._handed_out or waiting >= stream_interval):
            self._handed_out += waiting
            self._ready += waiting
            self._event.set()


class Engine:
    """Runs the iterations."""

    def __init__(self, options: EngineOptions, faults):
        self._options = options
        self._faults = faults
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._arrival = asyncio.Event()
        self._fill_pending = options.fill_target > 0
        self._iteration = 0
        self._previous_start = 0.0

    def submit(self, sequence: Sequence):
        """Queues a request; cancel it by setting `cancelled`."""
        self._waiting.append(sequence)
        self._arrival.set()

    async def run(self):
        """Iterates for ever."""
        loop = asyncio.get_running_loop()
        self._previous_start = loop.time()
        while True:
            if not self._running and not self._waiting:
                self._log_iteration(loop.time(), prefilled=[], decoded=0)
                await self._wait_for_work()
            await stall_point(self._faults)
            start = loop.time()
            prefilled = self._admit()
            decoded = len(self._running)
            await asyncio.sleep(max(0.0, start + self._step_seconds(prefilled) - loop.time()))
            self._log_iteration(start, prefilled, decoded)
            self._hand_out(prefilled)

    async def _wait_for_work(self):
        await self._next_arrival(None)
        while self._fill_pending and len(self._waiting) < self._options.fill_target:
            self._fill_pending = await self._next_arrival(self._options.fill_patience_seconds)
        self._fill_pending = False

    async def _next_arrival(self, patience: float | None) -> bool:
        """Waits until a request arrives; returns False when none did within `patience` seconds."""
        self._arrival.clear()
        try:
            async with asyncio.timeout(patience):
                await self._arrival.wait()
        except TimeoutError:
            return False
        return True

    def _admit(self) -> list[Sequence]:
        """Moves requests from waiting to running while there is room; returns those that need prefill."""
        prefill: list[Sequence] = []
        tokens = 0
        while self._waiting and len(self._running) + len(prefill) < self._options.max_batch_size:
            sequence = self._waiting[0]
            if sequence.needs_prefill and prefill and tokens + sequence.input_tokens > self._options.max_num_tokens:
                break
            self._waiting.popleft()
            if sequence.needs_prefill:
                tokens += sequence.input_tokens
                prefill.append(sequence)
            else:
                self._running.append(sequence)
        return prefill

    def _step_seconds(self, prefilled: list[Sequence]) -> float:
        prefill = sum(sequence.input_tokens for sequence in prefilled) * self._options.prefill_seconds_per_token
        return prefill + (self._options.decode_seconds if self._running else 0.0)

    def _hand_out(self, prefilled: list[Sequence]):
        for sequence in self._running:
            sequence.steps += 1
            sequence.advance(self._options.tokens_per_step, self._options.stream_interval)
        for sequence in prefilled:
            sequence.advance(1.0, self._options.stream_interval)
        self._running += prefilled
        self._running = [s for s in self._running if not (s.finished or s.cancelled)]

    def _log_iteration(self, start: float, prefilled: list[Sequence], decoded: int):
        """Writes the line for an iteration. Like the real one it reports how long the step *before* took, so the
        first line after an idle time carries that idle time: who averages these has to leave it out."""
        previous_ms = (start - self._previous_start) * 1e3
        self._previous_start = start
        self._iteration += 1
        if not self._options.print_iter_log:
            return
        states = {
            "num_ctx_requests": len(prefilled),
            "num_ctx_tokens": sum(sequence.input_tokens for sequence in prefilled),
            "num_generation_tokens": decoded * (1 + self._options.draft_length),
        }
        logger.info(
            f"iter = {self._iteration}, global_rank = 0, rank = 0, prev_device_step_time = {previous_ms:.3f} ms, "
            f"num_scheduled_requests = {decoded + len(prefilled)}, states = {states}"
        )
