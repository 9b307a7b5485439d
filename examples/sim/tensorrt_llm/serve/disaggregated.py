"""The coordinator: sends each request to a context server for prefill, then to a generation server to decode."""

from __future__ import annotations

import asyncio
import itertools
import json
import os

from tensorrt_llm import logger
from tensorrt_llm.serve import completions, http_client
from tensorrt_llm.serve.app import COMPLETIONS, ServerApp, stall_point
from tensorrt_llm.serve.http_server import Exchange
from tensorrt_llm.serve.worker import CONTEXT_ONLY, GENERATION_ONLY
from tensorrt_llm.sim import files

_HEALTH_TIMEOUT_SECONDS = 2.0
_HEALTH_CACHE_SECONDS = 0.5
_START_POLL_SECONDS = 0.1


class ConfigError(ValueError):
    """The coordinator's config cannot work."""


class ServerConfig:
    """The checked content of server_config.yaml. Keys that steer the real router are accepted and ignored."""

    def __init__(self, config: dict, environ=os.environ):
        self.hostname = config.get("hostname", "localhost")
        self.port = config.get("port", 8000)
        self.auth_key = config.get("internal_request_auth_key")
        self.context = _worker_addresses(config, "context_servers")
        self.generation = _worker_addresses(config, "generation_servers")
        if not self.generation:
            raise ConfigError("generation_servers: at least one is needed")
        if not self.context and environ.get("TRTLLM_DISAGG_BENCHMARK_GEN_ONLY") != "1":
            raise ConfigError("context_servers: none, which only TRTLLM_DISAGG_BENCHMARK_GEN_ONLY=1 allows")


def _worker_addresses(config: dict, key: str) -> list[tuple[str, int]]:
    section = config.get(key) or {}
    urls = section.get("urls") or []
    instances = section.get("num_instances", len(urls))
    if instances != len(urls):
        raise ConfigError(f"{key}: num_instances is {instances} but there are {len(urls)} urls")
    try:
        return [files.parse_address(url) for url in urls]
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None


class Health:
    """Asks all workers for their health, at most once per cache time however many clients want to know."""

    def __init__(self, addresses: list[tuple[str, int]]):
        self._addresses = addresses
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._problems: list[str] = []

    async def problems(self) -> list[str]:
        """Returns one line for each worker that is not well."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at > _HEALTH_CACHE_SECONDS:
                answers = await asyncio.gather(*(self._ask(*address) for address in self._addresses))
                self._problems = [answer for answer in answers if answer]
                self._asked_at = now
            return self._problems

    @staticmethod
    async def _ask(host: str, port: int) -> str | None:
        name = files.format_address(host, port)
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_SECONDS):
                async with http_client.request(host, port, "GET", "/health") as response:
                    return None if response.status == 200 else f"{name} answers {response.status}"
        except TimeoutError:
            return f"{name} does not answer"
        except (OSError, http_client.BrokenResponse) as error:
            return f"{name}: {error}"


class Coordinator:
    """Routes requests, round robin over each kind of worker."""

    def __init__(self, config: ServerConfig, start_timeout: float, request_timeout: float, faults):
        self._config = config
        self._start_timeout = start_timeout
        self._request_timeout = request_timeout
        self._faults = faults
        self._health = Health(config.context + config.generation)
        self._context = itertools.cycle(config.context)
        self._generation = itertools.cycle(config.generation)
        self._started = False

    async def watch_start(self):
        """Waits until every worker has been healthy once; raises when that takes too long."""
        deadline = asyncio.get_running_loop().time() + self._start_timeout
        while problems := await self._health.problems():
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"workers not ready after {self._start_timeout:g} s: {'; '.join(problems)}")
            await asyncio.sleep(_START_POLL_SECONDS)
        self._started = True
        logger.info("all workers are ready")
        await asyncio.Event().wait()

    async def handle(self, exchange: Exchange):
        """Answers one request."""
        if exchange.path == "/health":
            problems = await self._health.problems()
            status = 503 if problems else 200
            await exchange.send_json(status, {"status": "unhealthy" if problems else "ok", "workers": problems})
        elif exchange.path == COMPLETIONS and exchange.method == "POST":
            if not self._started:
                return await exchange.send_error(503, "the workers are not ready")
            await self._complete(exchange)
        else:
            await exchange.send_error(404, f"no such page: {exchange.path}")

    async def _complete(self, exchange: Exchange):
        body = exchange.json()
        request = completions.Request(body)
        try:
            async with asyncio.timeout(self._request_timeout):
                handover = await self._prefill(body) if self._config.context else {}
                body["disaggregated_params"] = handover | {"request_type": GENERATION_ONLY}
                await self._generate(exchange, body, request.stream)
        except (OSError, http_client.BrokenResponse, RuntimeError) as error:  # TimeoutError is an OSError
            await self._fail(exchange, f"{type(error).__name__}: {error}")

    async def _prefill(self, body: dict) -> dict:
        """Lets a context server do the prefill; returns what the generation server needs to go on."""
        host, port = next(self._context)
        body = body | {"max_tokens": 1, "stream": False, "disaggregated_params": {"request_type": CONTEXT_ONLY}}
        async with self._post(host, port, body) as response:
            await _check_status("context", host, port, response)
            answer = await response.json()
        handover = answer["choices"][0].get("disaggregated_params")
        if not handover:
            raise RuntimeError(f"context server {files.format_address(host, port)} sent no disaggregated_params")
        return handover

    async def _generate(self, exchange: Exchange, body: dict, stream: bool):
        host, port = next(self._generation)
        async with self._post(host, port, body) as response:
            await _check_status("generation", host, port, response)
            if not stream:
                return await exchange.send_json(200, await response.json())
            async for chunk in response.chunks():
                await stall_point(self._faults)
                if not exchange.started:
                    exchange.start_stream()
                await exchange.send_chunk(chunk)
        await exchange.end_stream()

    def _post(self, host: str, port: int, body: dict):
        headers = {completions.AUTH_HEADER: self._config.auth_key} if self._config.auth_key else {}
        return http_client.request(host, port, "POST", COMPLETIONS, json.dumps(body).encode(), headers)

    @staticmethod
    async def _fail(exchange: Exchange, message: str):
        """Makes the client see a failed request: an error status, or an error inside a stream without an end."""
        logger.error(f"request failed: {message}")
        if exchange.started:
            await exchange.send_chunk(completions.error_event(message))
        else:
            await exchange.send_error(500, message)


async def _check_status(kind: str, host: str, port: int, response: http_client.Response):
    if response.status != 200:
        text = (await response.read())[:200].decode(errors="replace")
        raise RuntimeError(f"{kind} server {files.format_address(host, port)} answered {response.status}: {text}")


def serve(config: ServerConfig, start_timeout: float, request_timeout: float, report_addr: str | None, faults) -> int:
    """Runs the coordinator until it is told to stop; returns the exit code."""

    async def main() -> int:
        coordinator = Coordinator(config, start_timeout, request_timeout, faults)
        app = ServerApp("disaggregated server", coordinator.handle, coordinator.watch_start, faults)
        return await app.run(config.hostname, config.port, report_addr)

    return asyncio.run(main())
