"""The coordinator: sends each request to a context server for prefill, then to a generation server to decode."""

from __future__ import annotations

import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tensorrt_llm import logger
from tensorrt_llm.serve import client, completions
from tensorrt_llm.serve.server import Exchange
from tensorrt_llm.sim import files
from tensorrt_llm.sim.faults import Faults, wait_for_ever
from tensorrt_llm.sim.yaml_file import ConfigError

_HEALTH_TIMEOUT_SECONDS = 2.0
_START_POLL_SECONDS = 0.1


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


class Coordinator:
    """Routes requests, round robin over each kind of worker."""

    def __init__(self, config: ServerConfig, start_timeout: float, request_timeout: float, faults: Faults):
        self._config = config
        self._start_timeout = start_timeout
        self._request_timeout = request_timeout
        self._faults = faults
        self._context = itertools.cycle(config.context)
        self._generation = itertools.cycle(config.generation)
        self._started = False

    def run(self):
        """Waits until every worker has been healthy once; raises when that takes too long."""
        deadline = time.monotonic() + self._start_timeout
        while problems := self._problems():
            if time.monotonic() > deadline:
                raise TimeoutError(f"workers not ready after {self._start_timeout:g} s: {'; '.join(problems)}")
            time.sleep(_START_POLL_SECONDS)
        self._started = True
        logger.info("all workers are ready")
        wait_for_ever()

    def health(self) -> tuple[int, dict]:
        """Says whether every worker is well, and requests are taken: workers may be well before that is noticed."""
        problems = self._problems() or ([] if self._started else ["starting"])
        return 503 if problems else 200, {"status": "unhealthy" if problems else "ok", "workers": problems}

    def complete(self, exchange: Exchange, request: completions.Request, body: dict):
        """Answers a completion request."""
        if not self._started:
            return exchange.send_problem(503, "the workers are not ready")
        try:
            handover = self._prefill(body) if self._config.context else {}
            body["disaggregated_params"] = handover | {"request_type": completions.GENERATION_ONLY}
            with self._post("generation", next(self._generation), body) as response:
                if request.stream:
                    exchange.send_stream(self._pass_on(response))
                else:
                    exchange.send_json(200, json.load(response))
        except (OSError, RuntimeError) as error:
            # The client must see a failed request: an error status, or an error inside a stream that has no end.
            message = f"{type(error).__name__}: {error}"
            logger.error(f"request failed: {message}")
            if exchange.streams:
                exchange.wfile.write(completions.error_event(message))
            else:
                exchange.send_problem(500, message)

    def _prefill(self, body: dict) -> dict:
        """Lets a context server do the prefill; returns what the generation server needs to go on."""
        body = body | {"max_tokens": 1, "stream": False}
        body["disaggregated_params"] = {"request_type": completions.CONTEXT_ONLY}
        with self._post("context", next(self._context), body) as response:
            return json.load(response)["choices"][0].get("disaggregated_params", {})

    def _pass_on(self, response):
        for data in completions.events(response):
            self._faults.stall_point()
            yield completions.event(data)

    @contextmanager
    def _post(self, kind: str, address: tuple[str, int], body: dict):
        key = self._config.auth_key
        headers = {completions.AUTH_HEADER: key} if key else {}
        content = json.dumps(body).encode()
        with client.ask(address, completions.PATH, content, headers, self._request_timeout) as response:
            if response.status != 200:
                text = response.read(200).decode(errors="replace")
                name = files.format_address(*address)
                raise RuntimeError(f"{kind} server {name} answered {response.status}: {text}")
            yield response

    def _problems(self) -> list[str]:
        """Returns one line for each worker that is not well."""
        addresses = self._config.context + self._config.generation
        with ThreadPoolExecutor(len(addresses)) as pool:
            return [problem for problem in pool.map(_problem, addresses) if problem]


def _problem(address: tuple[str, int]) -> str | None:
    name = files.format_address(*address)
    try:
        with client.ask(address, "/health", timeout=_HEALTH_TIMEOUT_SECONDS) as response:
            return None if response.status == 200 else f"{name} answers {response.status}"
    except TimeoutError:
        return f"{name} does not answer"
    except OSError as error:
        return f"{name}: {error}"
