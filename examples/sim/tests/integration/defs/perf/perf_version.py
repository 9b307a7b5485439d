"""What differs between the versions of the test. Each version's test_perf_sanity.py says what it is."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """One version of the test. What a version says nothing of, it does not know."""

    disagg_modes: tuple[str, ...] = ()  # in ids of disaggregated tests; none: the config says the mode
    aggregated_modes: tuple[str, ...] = ()  # of aggregated tests of a disaggregated config; none: no aggregated tests
    modifiers: tuple[str, ...] = ()  # that may follow the mode in an id
    address_option: str | None = None  # a server publishes its address with it; None: the test chooses the port
    step_time_key: str | None = None  # of an iteration line; None: the time of a decode step is not measured
    config_variable: str = "DISAGG_CONFIG_FOLDER"
    config_folder: str = "tests/scripts/perf-sanity/disaggregated"
    server_log: str = "trtllm-serve.{role}.0.log"
