"""A case of a disaggregated config: what its test id and its config file ask for, as far as it changes which processes
run and how."""

from __future__ import annotations

import os

from perf_ids import CaseId
from perf_load import Engine, Load, engine, lengths, model_path, variables
from perf_version import Version

E2E, GEN_ONLY, NO_CONTEXT, CTX_ONLY = "e2e", "gen_only", "gen_only_no_context", "ctx_only"
_DEFAULT_TIMEOUT = 10800


class Case:
    """One test case. Attributes are plain values; everything about files and processes is elsewhere."""

    def __init__(self, case_id: CaseId, config: dict, version: Version, environ=os.environ):
        benchmark = config["benchmark"]
        self._config = config
        self.version = version
        self.name = case_id.config
        self.aggregated = case_id.aggregated
        self.mode = _mode(case_id.mode, benchmark.get("mode") or E2E, version)
        self.decode_only = GEN_ONLY in self.mode
        self.num_ctx, self.num_gen = self._servers(config["hardware"])
        self.timeout = (config.get("slurm") or {}).get("timeout", _DEFAULT_TIMEOUT)
        self.concurrencies = parse_concurrencies(benchmark["concurrency_list"])
        self.iterations = benchmark.get("multi_round", 1)
        if self.decode_only and not version.disagg_modes:
            self.concurrencies = [max(self.concurrencies)]
        elif self.decode_only:
            self.concurrencies, self.iterations = self.concurrencies[:1], 1
        self.input_length, self.output_length = lengths(benchmark, "input_length", "output_length")
        if self.mode == CTX_ONLY:
            self.output_length = 1
        self.auth_key: str | None = config.get("internal_request_auth_key")
        self.model = model_path(config["metadata"]["model_name"], environ)
        accuracy = config.get("accuracy") or {}
        self.accuracy_tasks = _tasks(accuracy.get("tasks")) if accuracy.get("enable_accuracy_test") else []
        self.only_accuracy = bool(accuracy.get("enable_accuracy_test") and benchmark.get("only_run_accuracy"))

    def _servers(self, hardware: dict) -> tuple[int, int]:
        """Returns how many prefill and decode servers take part."""
        if self.aggregated:
            return (1, 0) if self.mode == CTX_ONLY else (0, 1)
        without_ctx = self.mode == NO_CONTEXT or self.decode_only and not self.version.disagg_modes
        return 0 if without_ctx else hardware["num_ctx_servers"], hardware["num_gen_servers"]

    def engine(self, kind: str, auth_key: str | None = None) -> Engine:
        """Returns the engine of a worker; `kind` is ctx or gen."""
        block = dict(self._config["worker_config"][kind])
        if self.mode == CTX_ONLY:
            block.pop("cache_transceiver_config", None)
        if auth_key:
            block["internal_request_auth_key"] = auth_key
        return engine(block, self.model, self.environment(kind))

    def loads(self) -> list[Load]:
        """Returns the runs of the client, one after the other."""
        benchmark = self._config["benchmark"]
        common = {
            "rounds": self.iterations,
            "input_length": self.input_length,
            "output_length": self.output_length,
            "range_ratio": float(benchmark.get("benchmark_ratio", 0.0)),
            "warm_up": not self.decode_only,
            "semianalysis": bool(benchmark.get("use_nv_sa_benchmark")),
            "environment": self.environment("client"),
        }
        return [] if self.only_accuracy else [Load(number, **common) for number in self.concurrencies]

    def coordinator_config(self, hostname: str, port: int, auth_key: str, ctx_urls: list[str], gen_urls: list[str]):
        """Returns the content of server_config.yaml. The counts come from the case and the urls from the files
        found, so that a stale address file is noticed."""
        return {
            "hostname": hostname,
            "port": port,
            "backend": "pytorch",
            "internal_request_auth_key": auth_key,
            "context_servers": {"num_instances": self.num_ctx, "urls": ctx_urls},
            "generation_servers": {"num_instances": self.num_gen, "urls": gen_urls},
        }

    def environment(self, kind: str) -> dict[str, str]:
        """Returns the variables that the case sets for a kind of process: ctx, gen, server or client."""
        section = self._config.get("environment") or {}
        names = {"server": ["server_env_var"], "client": ["client_env_var"]}
        keys = names.get(kind, ["worker_env_var", f"{kind}_worker_env_var"])
        added = variables(*[section.get(key) for key in keys])
        # An aggregated test, and the oldest, leave it to whoever starts them.
        if self.mode == NO_CONTEXT and self.version.disagg_modes and not self.aggregated and kind in ("gen", "server"):
            added["TRTLLM_DISAGG_BENCHMARK_GEN_ONLY"] = "1"
        return added


def _mode(in_id: str, in_config: str, version: Version) -> str:
    """Decides what is measured: the id says it, unless ids do not, or one of decode names a config without context."""
    if not version.disagg_modes or in_id == GEN_ONLY and NO_CONTEXT in in_config:
        return in_config
    return in_id


def _tasks(value) -> list[str]:
    """Reads `accuracy.tasks`: a mapping of tasks, or their names in a string."""
    return list(value) if isinstance(value, dict) else str(value or "").replace(",", " ").split()


def parse_concurrencies(value) -> list[int]:
    """Reads `concurrency_list`: a number, a list, or numbers in a string."""
    words = value if isinstance(value, list) else str(value).split()
    numbers = [int(word) for word in words]
    if not numbers or min(numbers) < 1:
        raise ValueError(f"concurrency_list {value!r} must hold positive numbers")
    return numbers
