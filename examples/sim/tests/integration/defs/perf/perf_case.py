"""A test case: what a test id and its config file ask for, as far as it changes which processes run and how."""

from __future__ import annotations

import os
import shlex
from collections import namedtuple

from tensorrt_llm.sim import yaml_file

E2E, GEN_ONLY, NO_CONTEXT = "e2e", "gen_only", "gen_only_no_context"
_DEFAULT_TIMEOUT = 10800

CaseId = namedtuple("CaseId", "mode config")


def parse_test_id(text: str) -> CaseId:
    """Splits `disagg[_upload]-MODE-CONFIG`. CONFIG may hold any number of dashes."""
    prefix, mode, config = (text.split("-", 2) + ["", ""])[:3]
    if prefix not in ("disagg", "disagg_upload") or mode not in (E2E, GEN_ONLY, NO_CONTEXT) or not config:
        raise ValueError(f"{text!r} is not disagg[_upload]-MODE-CONFIG with a MODE that can be simulated")
    return CaseId(mode, config)


def load_case(test_id: str, checkout: str, environ=os.environ) -> Case:
    """Finds the config of `test_id` in the checkout or in DISAGG_CONFIG_FOLDER."""
    folder = environ.get("DISAGG_CONFIG_FOLDER") or os.path.join(checkout, "tests/scripts/perf-sanity/disaggregated")
    parsed = parse_test_id(test_id)
    return Case(parsed, yaml_file.load(os.path.join(folder, f"{parsed.config}.yaml")), environ)


class Case:
    """One test case. Attributes are plain values; everything about files and processes is elsewhere."""

    def __init__(self, test_id: CaseId, config: dict, environ=os.environ):
        benchmark = config["benchmark"]
        self._config = config
        self.name = test_id.config
        no_context = test_id.mode == GEN_ONLY and NO_CONTEXT in benchmark.get("mode", E2E)
        self.mode = NO_CONTEXT if no_context else test_id.mode
        self.num_ctx = 0 if self.mode == NO_CONTEXT else config["hardware"]["num_ctx_servers"]
        self.num_gen = config["hardware"]["num_gen_servers"]
        self.timeout = (config.get("slurm") or {}).get("timeout", _DEFAULT_TIMEOUT)
        self.concurrencies = parse_concurrencies(benchmark["concurrency_list"])
        self.iterations = benchmark.get("multi_round", 1)
        if self.mode != E2E:
            self.concurrencies, self.iterations = self.concurrencies[:1], 1
        self.input_length = benchmark["input_length"]
        self.output_length = benchmark["output_length"]
        self.range_ratio = float(benchmark.get("benchmark_ratio", 0.0))
        self.auth_key: str | None = config.get("internal_request_auth_key")
        self.model = _model(config["metadata"]["model_name"], environ.get("LLM_MODELS_ROOT"))

    def worker_config(self, kind: str, auth_key: str) -> dict:
        """Returns what `trtllm-serve --config` gets; `kind` is ctx or gen."""
        return self._config["worker_config"][kind] | {"internal_request_auth_key": auth_key}

    def coordinator_config(self, hostname: str, auth_key: str, ctx_urls: list[str], gen_urls: list[str]) -> dict:
        """Returns the content of server_config.yaml. The counts come from the case and the urls from the files
        found, so that a stale address file is noticed."""
        return {
            "hostname": hostname,
            "port": 0,
            "backend": "pytorch",
            "internal_request_auth_key": auth_key,
            "context_servers": {"num_instances": self.num_ctx, "urls": ctx_urls},
            "generation_servers": {"num_instances": self.num_gen, "urls": gen_urls},
        }

    def environment(self, kind: str) -> dict[str, str]:
        """Returns the variables that the case sets for a kind of process: ctx, gen, server or client."""
        section = self._config.get("environment") or {}
        names = {"server": ["server_env_var"], "client": ["client_env_var"]}
        texts = [section.get(name) for name in names.get(kind, ["worker_env_var", f"{kind}_worker_env_var"])]
        tokens = [token for text in texts for token in shlex.split(text or "")]
        variables = dict(token.partition("=")[::2] for token in tokens)
        if self.mode == NO_CONTEXT and kind in ("gen", "server"):
            variables["TRTLLM_DISAGG_BENCHMARK_GEN_ONLY"] = "1"
        return variables


def _model(name: str, root: str | None) -> str:
    """Returns the model's folder below the models root if it is there, else its bare name."""
    if not root:
        return name
    assert os.path.exists(root), f"LLM_MODELS_ROOT is {root}, which does not exist"
    path = os.path.join(root, name)
    return path if os.path.exists(path) else name


def parse_concurrencies(value) -> list[int]:
    """Reads `concurrency_list`: a number, a list, or numbers in a string."""
    words = value if isinstance(value, list) else str(value).split()
    numbers = [int(word) for word in words]
    if not numbers or min(numbers) < 1:
        raise ValueError(f"concurrency_list {value!r} must hold positive numbers")
    return numbers
