"""One context or generation server: the engine behind an OpenAI-style HTTP interface."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import os

from tensorrt_llm import logger
from tensorrt_llm.serve import completions
from tensorrt_llm.serve.app import COMPLETIONS, ServerApp
from tensorrt_llm.serve.engine import Engine, EngineOptions, Sequence
from tensorrt_llm.serve.http_server import BadRequest, Exchange

CONTEXT_ONLY = "context_only"
GENERATION_ONLY = "generation_only"

# How a load divides into the phases that /server_info reports.
_LOAD_PHASES = {
    "checkpoint_preparation_seconds": 0.1,
    "weight_population_seconds": 0.7,
    "checkpoint_finalization_seconds": 0.2,
}


class Worker:
    """Serves completions from one engine."""

    def __init__(self, model: str, config: dict, faults, environ=os.environ):
        self._model = model
        self._options = EngineOptions(config, environ)
        self._auth_key = config.get("internal_request_auth_key")
        self._gen_only = environ.get("TRTLLM_DISAGG_BENCHMARK_GEN_ONLY") == "1"
        self._engine = Engine(self._options, faults)
        self._loaded = False
        self._numbers = itertools.count(1)

    async def run_engine(self):
        """Loads, then iterates."""
        logger.info(f"loading {self._model}")
        await asyncio.sleep(self._options.startup_seconds)
        self._loaded = True
        logger.info("model loaded, ready for requests")
        await self._engine.run()

    async def handle(self, exchange: Exchange):
        """Answers one request."""
        if exchange.path == "/health":
            status = (200, "ok") if self._loaded else (503, "loading")
            await exchange.send_json(status[0], {"status": status[1]})
        elif exchange.path == "/server_info":
            await exchange.send_json(200, self._server_info())
        elif exchange.path == COMPLETIONS and exchange.method == "POST":
            await self._complete(exchange)
        else:
            await exchange.send_error(404, f"no such page: {exchange.path}")

    def _server_info(self) -> dict:
        if not self._loaded:
            return {"model": self._model, "startup_metrics": None}
        seconds = self._options.startup_seconds
        metrics = {name: round(share * seconds, 6) for name, share in _LOAD_PHASES.items()}
        metrics |= {"total_model_loading_seconds": seconds, "checkpoint_io_policy": "sim"}
        return {"model": self._model, "startup_metrics": metrics}

    async def _complete(self, exchange: Exchange):
        request = completions.Request(exchange.json())
        if request.disaggregated is not None and not self._is_internal(exchange):
            return await exchange.send_error(401, f"disaggregated_params need the key in {completions.AUTH_HEADER}")
        if not self._loaded:
            return await exchange.send_error(503, "the model is still loading")
        number = next(self._numbers)
        sequence = self._sequence(request)
        answer = completions.Answer(request, number)
        self._engine.submit(sequence)
        try:
            if request.stream:
                await self._stream(exchange, answer, sequence)
            else:
                while await sequence.next_tokens():
                    pass
                await exchange.send_json(200, answer.whole(sequence.max_tokens, self._extra(request, sequence, number)))
        finally:
            sequence.cancelled = True  # when the client has left in the middle, the engine drops it

    def _is_internal(self, exchange: Exchange) -> bool:
        if not self._auth_key:
            return True
        return hmac.compare_digest(exchange.headers.get(completions.AUTH_HEADER.lower(), ""), self._auth_key)

    def _sequence(self, request: completions.Request) -> Sequence:
        params = request.disaggregated or {}
        kind = params.get("request_type")
        if request.disaggregated is None:
            return Sequence(request.input_tokens, request.max_tokens, needs_prefill=True)
        if kind == CONTEXT_ONLY:
            return Sequence(request.input_tokens, 1, needs_prefill=True)
        if kind != GENERATION_ONLY:
            raise BadRequest(f"request_type {kind!r} is neither {CONTEXT_ONLY} nor {GENERATION_ONLY}")
        if "ctx_request_id" not in params and not self._gen_only:
            raise BadRequest(f"a {GENERATION_ONLY} request needs the ctx_request_id of its prefill")
        return Sequence(request.input_tokens, request.max_tokens, needs_prefill=False)

    async def _stream(self, exchange: Exchange, answer: completions.Answer, sequence: Sequence):
        sent = 0
        exchange.start_stream()
        while count := await sequence.next_tokens():
            sent += count
            finished = sent == sequence.max_tokens
            extra = self._speculation(sequence) if finished else {}
            await exchange.send_chunk(answer.event(count, finished, extra))
        await exchange.send_chunk(answer.ending(sent))
        await exchange.end_stream()

    def _extra(self, request: completions.Request, sequence: Sequence, number: int) -> dict:
        if (request.disaggregated or {}).get("request_type") != CONTEXT_ONLY:
            return self._speculation(sequence)
        handover = {"request_type": CONTEXT_ONLY, "ctx_request_id": number, "first_gen_tokens": [1]}
        return {"disaggregated_params": handover}

    def _speculation(self, sequence: Sequence) -> dict:
        if not self._options.draft_length:
            return {}
        return {"avg_decoded_tokens_per_iter": sequence.decoded_per_step}


def serve(model: str, config: dict, host: str, port: int, report_addr: str | None, faults) -> int:
    """Runs one worker until it is told to stop; returns the exit code."""

    async def main() -> int:
        worker = Worker(model, config, faults)
        app = ServerApp(f"{model} server", worker.handle, worker.run_engine, faults)
        return await app.run(host, port, report_addr)

    return asyncio.run(main())
