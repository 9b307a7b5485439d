"""A test case: what a test id and its config file ask for."""

from __future__ import annotations

import os
import shlex
from collections import namedtuple

from tensorrt_llm.sim import yaml_reader

E2E, GEN_ONLY, NO_CONTEXT = "e2e", "gen_only", "gen_only_no_context"
_MODES = (E2E, GEN_ONLY, NO_CONTEXT)
_DEFAULT_TIMEOUT = 10800

CaseId = namedtuple("CaseId", "mode config")  # mode is None in the oldest ids, whose YAML decides


def parse_test_id(text: str) -> CaseId:
    """Splits `disagg[_upload]-MODE-CONFIG` or `disagg[_upload]-CONFIG`. CONFIG may hold any number of dashes."""
    prefix, _, rest = text.partition("-")
    if prefix not in ("disagg", "disagg_upload"):
        raise ValueError(f"{text!r}: only disagg and disagg_upload tests can be simulated, not {prefix!r}")
    mode, _, config = rest.partition("-")
    if mode not in _MODES:
        mode, config = None, rest
    if not config:
        raise ValueError(f"{text!r} names no config")
    return CaseId(mode, config)


def load_case(test_id: str, checkout: str, environ=os.environ) -> Case:
    """Finds the config of `test_id` in the checkout or in DISAGG_CONFIG_FOLDER."""
    folder = environ.get("DISAGG_CONFIG_FOLDER") or os.path.join(checkout, "tests/scripts/perf-sanity/disaggregated")
    parsed = parse_test_id(test_id)
    config = yaml_reader.load_file(os.path.join(folder, f"{parsed.config}.yaml"))
    return Case(parsed, config, checkout, environ)


class Case:
    """One test case. Attributes are plain values; everything about files and processes is elsewhere."""

    def __init__(self, test_id: CaseId, config: dict, checkout: str, environ=os.environ):
        benchmark = (config.get("sequence") or {}) | config["benchmark"]  # where the oldest configs have the lengths
        self._config = config
        self._checkout = checkout
        self._models_root = environ.get("LLM_MODELS_ROOT", "")
        self.name = test_id.config
        self.mode = _mode(test_id.mode, str(benchmark.get("mode", E2E)))
        self.num_ctx = 0 if self.mode == NO_CONTEXT else config["hardware"]["num_ctx_servers"]
        self.num_gen = config["hardware"]["num_gen_servers"]
        self.timeout = (config.get("slurm") or {}).get("timeout", _DEFAULT_TIMEOUT)
        self.numa_bind = bool((config.get("slurm") or {}).get("numa_bind", False))
        self.concurrencies = parse_concurrencies(benchmark["concurrency_list"])
        self.iterations = benchmark.get("multi_round", 1)
        if self.mode != E2E:
            self.concurrencies, self.iterations = self.concurrencies[:1], 1
        self.input_length = benchmark["input_length"]
        self.output_length = benchmark["output_length"]
        self.range_ratio = float(benchmark.get("benchmark_ratio", 0.0))
        self.streaming = bool(benchmark.get("streaming", True))
        self.use_sa_benchmark = bool(benchmark.get("use_nv_sa_benchmark", False))

    @property
    def auth_key(self) -> str | None:
        """The key for requests between servers, when the config sets one."""
        return self._config.get("internal_request_auth_key")

    @property
    def dataset_name(self) -> str:
        """The data set the config names, "" when it leaves the placeholder."""
        name = self._config["benchmark"].get("dataset_file") or ""
        return "" if name.startswith("<") else name

    @property
    def speculative(self) -> bool:
        """Whether generation servers decode speculatively."""
        return bool(self._config["worker_config"]["gen"].get("speculative_config"))

    def model(self) -> str:
        """Returns the model's folder below the models root if it is there, else its bare name."""
        name = self._config["metadata"]["model_name"]
        return self._below_models_root(name) or name

    def dataset(self) -> str | None:
        """Returns the data set's path, or None for random prompts."""
        return self._below_models_root(self.dataset_name) if self.dataset_name else None

    def worker_config(self, kind: str, auth_key: str) -> dict:
        """Returns what `trtllm-serve --config` gets; `kind` is ctx or gen."""
        config = dict(self._config["worker_config"][kind])
        for key in _HARNESS_KEYS:
            config.pop(key, None)
        config["internal_request_auth_key"] = auth_key
        speculative = config.get("speculative_config") or {}
        if "speculative_model" in speculative:
            path = os.path.join(self._models_root, speculative["speculative_model"])
            config["speculative_config"] = speculative | {"speculative_model": path}
        moe = config.get("moe_config") or {}
        if isinstance(moe.get("load_balancer"), str):
            path = os.path.join(self._checkout, moe["load_balancer"])
            config["moe_config"] = moe | {"load_balancer": path}
        return config

    def coordinator_config(self, hostname: str, auth_key: str, ctx_urls: list[str], gen_urls: list[str]) -> dict:
        """Returns the content of server_config.yaml. The counts come from the case and the urls from the files
        found, so that a stale address file is noticed."""
        config = {
            "hostname": hostname,
            "port": 0,
            "backend": "pytorch",
            "internal_request_auth_key": auth_key,
            "context_servers": {"num_instances": self.num_ctx, "urls": ctx_urls} | self._router("ctx"),
            "generation_servers": {"num_instances": self.num_gen, "urls": gen_urls} | self._router("gen"),
        }
        return config | (self._config.get("server_config_extra") or {})

    def environment(self, kind: str) -> dict[str, str]:
        """Returns the variables that the case sets for a kind of process: ctx, gen, server or client."""
        section = self._config.get("environment") or {}
        names = {"server": ["server_env_var"], "client": ["client_env_var"]}
        texts = [section.get(name) for name in names.get(kind, ["worker_env_var", f"{kind}_worker_env_var"])]
        tokens = [token for text in texts for token in shlex.split(text or "")]
        return dict(token.partition("=")[::2] for token in tokens) | self._mode_environment(kind)

    def _mode_environment(self, kind: str) -> dict[str, str]:
        if self.mode == GEN_ONLY and kind == "gen":
            size = str(self.concurrencies[0])
            return {"TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP": "1", "TLLM_BENCHMARK_REQ_QUEUES_SIZE": size}
        if self.mode == NO_CONTEXT and kind in ("gen", "server"):
            return {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"}
        return {}

    def _router(self, kind: str) -> dict:
        router = self._config.get(f"{kind}_router_config") or self._config.get("router_config")
        return {"router": router} if router else {}

    def _below_models_root(self, name: str) -> str | None:
        path = os.path.join(self._models_root, name)
        return path if self._models_root and os.path.exists(path) else None


# Keys of a worker_config block that speak to the harness, not to trtllm-serve.
_HARNESS_KEYS = """mode concurrency name model_name disagg_run_type gpus gpus_per_node match_mode client_configs
    backend extra_llm_api_config_path server_env_var""".split()


def parse_concurrencies(value) -> list[int]:
    """Reads `concurrency_list`: a number, a list, or numbers in a string."""
    words = value if isinstance(value, list) else str(value).split()
    numbers = [int(word) for word in words]
    if not numbers or min(numbers) < 1:
        raise ValueError(f"concurrency_list {value!r} must hold positive numbers")
    return numbers


def _mode(from_id: str | None, from_yaml: str) -> str:
    if from_id is None:
        return from_yaml
    return NO_CONTEXT if from_id == GEN_ONLY and NO_CONTEXT in from_yaml else from_id
