"""One context or generation server: the engine behind an OpenAI-style HTTP interface."""

from __future__ import annotations

import hmac
import itertools
import os
import time

from tensorrt_llm import logger
from tensorrt_llm.llmapi import iteration_log
from tensorrt_llm.serve.completions import AUTH_HEADER, CONTEXT_ONLY, DONE, GENERATION_ONLY, BadRequest, Request, event
from tensorrt_llm.serve.engine import Engine, Sequence
from tensorrt_llm.serve.server import Exchange
from tensorrt_llm.sim.faults import Faults

_SHARDS = 10


class Worker:
    """Serves completions from one engine."""

    def __init__(self, model: str, config: dict, faults: Faults, environ=os.environ):
        self._model = model
        self._auth_key = config.get("internal_request_auth_key")
        self._gen_only = environ.get("TRTLLM_DISAGG_BENCHMARK_GEN_ONLY") == "1"
        self._engine = Engine(config, iteration_log.printer(faults, environ), faults, environ)
        self._loaded = False
        self._numbers = itertools.count(1)

    def run(self):
        """Loads, then iterates."""
        logger.info(f"loading {self._model}")
        for shard in range(_SHARDS):
            logger.progress("Loading safetensors checkpoint shards", shard, _SHARDS)
            time.sleep(self._engine.startup_seconds / _SHARDS)
        self._loaded = True
        logger.info("model loaded, ready for requests")
        self._engine.run()

    def health(self) -> tuple[int, dict]:
        """Says whether the model is loaded."""
        return (200, {"status": "ok"}) if self._loaded else (503, {"status": "loading"})

    def complete(self, exchange: Exchange, request: Request, _body: dict):
        """Answers a completion request."""
        if request.disaggregated is not None and not self._is_internal(exchange):
            return exchange.send_problem(401, f"disaggregated_params need the key in {AUTH_HEADER}")
        if not self._loaded:
            return exchange.send_problem(503, "the model is still loading")
        kind = self._kind(request)
        count = 1 if kind == CONTEXT_ONLY else request.max_tokens
        sequence = Sequence(request.input_tokens, count, prefilled=kind == GENERATION_ONLY)
        self._engine.submit(sequence)
        try:
            if request.stream:
                exchange.send_stream(request.token(n == count) for n in sequence.tokens(count))
                return exchange.wfile.write(event(DONE))
            for _ in sequence.tokens(count):
                pass
            exchange.send_json(200, request.whole(count, self._handover() if kind == CONTEXT_ONLY else {}))
        finally:
            sequence.cancelled = True  # when the client has left in the middle, the engine drops it

    def _is_internal(self, exchange: Exchange) -> bool:
        return not self._auth_key or hmac.compare_digest(exchange.headers.get(AUTH_HEADER, ""), self._auth_key)

    def _kind(self, request: Request) -> str | None:
        """Returns what part of a disaggregated request is asked for, None for a whole one."""
        if request.disaggregated is None:
            return None
        kind = request.disaggregated.get("request_type")
        if kind not in (CONTEXT_ONLY, GENERATION_ONLY):
            raise BadRequest(f"request_type {kind!r} is neither {CONTEXT_ONLY} nor {GENERATION_ONLY}")
        if kind == GENERATION_ONLY and "ctx_request_id" not in request.disaggregated and not self._gen_only:
            raise BadRequest(f"a {GENERATION_ONLY} request needs the ctx_request_id of its prefill")
        return kind

    def _handover(self) -> dict:
        """Returns what a generation server needs in order to go on after the prefill."""
        return {"disaggregated_params": {"request_type": CONTEXT_ONLY, "ctx_request_id": next(self._numbers)}}
