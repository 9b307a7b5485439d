"""The engine: an iteration loop with continuous batching, whose steps take time instead of computing."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from tensorrt_llm.sim.faults import Faults

_PREFILL_SECONDS_PER_TOKEN = 1e-6


class Sequence:
    """One request inside the engine."""

    def __init__(self, input_tokens: int, max_tokens: int, prefilled: bool):
        self.input_tokens = 0 if prefilled else input_tokens  # what is left to prefill
        self.left = max_tokens
        self.cancelled = False
        self._made: queue.SimpleQueue[None] = queue.SimpleQueue()
        if prefilled:
            self.advance()  # it comes with the token that its prefill made

    def tokens(self, count: int) -> Iterator[int]:
        """Yields 1 to `count`, each when so many tokens are there."""
        for number in range(1, count + 1):
            self._made.get()
            yield number

    def advance(self):
        """Adds a token."""
        self.left -= 1
        self._made.put(None)


class Engine:
    """Loads, then runs the iterations. `print_line` gets the line of each iteration, where the config asks for them."""

    def __init__(self, config: dict, print_line: Callable[[str], None], faults: Faults, environ=os.environ):
        self.startup_seconds = float(environ.get("SIM_STARTUP_SECONDS") or config.get("sim_startup_seconds", 0.3))
        self._decode_seconds = float(config.get("sim_tpot_ms", 1.0)) / 1e3
        self._max_batch_size = config.get("max_batch_size", 2048)
        self._print_line = print_line if config.get("print_iter_log") else None
        self._faults = faults
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._changed = threading.Condition()
        self._iteration = 0
        self._previous_ms: float | None = None

    def submit(self, sequence: Sequence):
        """Queues a request; cancel it by setting `cancelled`."""
        with self._changed:
            if sequence.left:
                self._waiting.append(sequence)
                self._changed.notify()

    def run(self):
        """Iterates for ever."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running or self._waiting)
                room = max(0, self._max_batch_size - len(self._running))
                self._running += [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            self._faults.stall_point()
            self._iterate()

    def _iterate(self):
        prefill = [sequence for sequence in self._running if sequence.input_tokens]
        tokens = sum(sequence.input_tokens for sequence in prefill)
        decoded = len(self._running) - len(prefill)
        start = time.monotonic()
        time.sleep(tokens * _PREFILL_SECONDS_PER_TOKEN + (self._decode_seconds if decoded else 0))
        for sequence in self._running:
            sequence.input_tokens = 0
            sequence.advance()
        self._running = [sequence for sequence in self._running if sequence.left and not sequence.cancelled]
        self._log((time.monotonic() - start) * 1e3, len(prefill), tokens, decoded)

    def _log(self, step_ms: float, prefilled: int, tokens: int, decoded: int):
        """Writes the line of an iteration in the form and order of the real one, whose device time is the one of the
        step before: the device is a step ahead of what is known of it."""
        self._iteration += 1
        before, self._previous_ms = self._previous_ms, step_ms
        if not self._print_line:
            return
        states = {"num_ctx_requests": prefilled, "num_ctx_tokens": tokens, "num_generation_tokens": decoded}
        scheduled = prefilled + decoded
        device = "N/A" if before is None else f"{before:.3f}ms"
        self._print_line(
            f"iter = {self._iteration}, global_rank = 0, rank = 0, num_scheduled_requests = {scheduled}, "
            f"kv_cache_util = 0.000, currank_total_requests = 0/{scheduled}, host_step_time = {step_ms:.3f}ms, "
            f"prev_device_step_time = {device}, timestamp = {time.strftime('%Y-%m-%d %H:%M:%S')}, states = {states}"
        )
