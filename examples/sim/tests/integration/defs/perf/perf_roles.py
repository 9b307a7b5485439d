"""Which part this process plays. A role's own module is imported by that role only: dozens of them start at once."""

from __future__ import annotations

import re

from perf_case import Case
from perf_files import CaseFiles
from perf_ids import config_path, parse_test_id
from perf_version import Version

from tensorrt_llm.sim import ranks, yaml_file


def play(version: Version, test_id: str, output_dir: str, checkout: str):
    """Plays the role that DISAGG_SERVING_TYPE names, or all roles of an aggregated test, in the case `test_id`."""
    case_id = parse_test_id(test_id, version)
    config = yaml_file.load(config_path(case_id, version, checkout))
    files = CaseFiles(output_dir, test_id, version)
    role = ranks.role()
    if case_id.aggregated:
        from perf_aggregated import run_aggregated

        return run_aggregated(case_id, config, version, files, checkout)
    case = Case(case_id, config, version)
    files.make_address_folder()
    if role == "BENCHMARK":
        from perf_benchmark import run_benchmark

        return run_benchmark(case, files, checkout)
    from perf_servers import run_coordinator, run_worker

    if role == "DISAGG_SERVER":
        return run_coordinator(case, files, checkout)
    return run_worker(case, files, checkout, *_worker(role, case))


def _worker(role: str, case: Case) -> tuple[str, int]:
    """Splits CTX_<i> or GEN_<i>."""
    match = re.fullmatch(r"(CTX|GEN)_(\d+)", role)
    assert match, f"DISAGG_SERVING_TYPE is {role!r}, which is no role"
    kind, index = match[1].lower(), int(match[2])
    count = case.num_ctx if kind == "ctx" else case.num_gen
    assert index < count, f"there is no {role}: this case has {count} {kind} servers"
    return kind, index
