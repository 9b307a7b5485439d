"""What trtllm-serve does not take in a worker's config."""

from __future__ import annotations

from tensorrt_llm.sim.yaml_file import ConfigError

# Keys that the test reads itself and takes out before it writes the file.
HARNESS_KEYS = frozenset(
    "mode concurrency name model_name disagg_run_type gpus gpus_per_node match_mode client_configs backend "
    "extra_llm_api_config_path server_env_var".split()
)


def without_harness_keys(block: dict) -> dict:
    """Returns what the engine is to read of a worker's block."""
    return {key: value for key, value in block.items() if key not in HARNESS_KEYS}


def frontends(config: dict) -> int:
    """Returns how many front ends a worker has."""
    return config.get("num_serve_frontends") or 1


def check(config: dict, path: str, port: int, report_addr: str | None):
    """Raises if a worker cannot be started so."""
    unknown = sorted(HARNESS_KEYS & config.keys())
    if unknown:
        raise ConfigError(f"{path}: unknown key {', '.join(unknown)}")
    if frontends(config) > 1 and port == 0 and report_addr:
        raise ConfigError(
            f"{path}: num_serve_frontends is {frontends(config)}: front ends share a port, so that with "
            "--port 0 there would be several, of which only one could be reported"
        )
