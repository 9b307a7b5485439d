"""Test ids: what a version of the test takes for one, and which config file it names."""

from __future__ import annotations

import os
from collections import namedtuple

from perf_version import Version

from tensorrt_llm.sim import yaml_file

_AGGREGATED_VARIABLE = "AGG_CONFIG_FOLDER"
_AGGREGATED_FOLDER = "tests/scripts/perf-sanity/aggregated"

# `mode` is "" where the config says it, and of an aggregated config; `server` is "" unless an entry of one is named.
CaseId = namedtuple("CaseId", "mode config aggregated server", defaults=(False, ""))


def parse_test_id(text: str, version: Version) -> CaseId | None:
    """Splits an id; None if this version knows none of that form. The names of disaggregated configs hold dashes, those
    of aggregated ones do not."""
    prefix, _, rest = text.partition("-")
    kind = prefix.removesuffix("_upload")
    if kind == "disagg" and not version.disagg_modes:
        return CaseId("", rest) if rest else None
    modes = {"disagg": version.disagg_modes, "aggr": version.aggregated_modes}.get(kind, ())
    mode, _, config = rest.partition("-")
    if mode in modes:
        modifier, _, behind = config.partition("-")
        config = behind if modifier in version.modifiers else config
        return CaseId(mode, config, kind == "aggr") if config else None
    if kind == "aggr" and modes and mode:
        return CaseId("", mode, True, config)
    return None


def config_path(case_id: CaseId, version: Version, checkout: str, environ=os.environ) -> str:
    """Returns the path of the config that an id names, which need not exist."""
    variable, folder = version.config_variable, version.config_folder
    if case_id.aggregated and not case_id.mode:
        variable, folder = _AGGREGATED_VARIABLE, _AGGREGATED_FOLDER
    return os.path.join(environ.get(variable) or os.path.join(checkout, folder), f"{case_id.config}.yaml")


def is_known(text: str, version: Version, checkout: str, environ=os.environ) -> bool:
    """Says whether there is such a test: the form of the id is known, and what it names is there."""
    case_id = parse_test_id(text, version)
    if case_id is None:
        return False
    path = config_path(case_id, version, checkout, environ)
    if not os.path.isfile(path):
        return False
    return not case_id.server or case_id.server in server_names(yaml_file.load(path))


def server_names(config: dict) -> list[str]:
    """Returns the names of the servers of an aggregated config."""
    return [entry.get("name") for entry in config.get("server_configs") or []]
