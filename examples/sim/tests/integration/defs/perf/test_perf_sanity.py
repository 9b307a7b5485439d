"""The end-to-end test of a disaggregated case. Every role runs this same test; DISAGG_SERVING_TYPE says which it is."""

import re

from perf_case import Case, load_case
from perf_files import CaseFiles
from perf_servers import run_coordinator, run_worker

from tensorrt_llm.sim import ranks


def test_e2e(test_id: str, output_dir: str, checkout: str):
    """Plays this process's role in the case `test_id`."""
    case = load_case(test_id, checkout)
    files = CaseFiles(output_dir, test_id)
    role = ranks.role()
    if role == "BENCHMARK":
        from perf_benchmark import run_benchmark  # brings HTTP along, which dozens of other roles need not load

        run_benchmark(case, files, checkout)
    elif role == "DISAGG_SERVER":
        run_coordinator(case, files, checkout)
    else:
        run_worker(case, files, checkout, *_worker(role, case))


def _worker(role: str, case: Case) -> tuple[str, int]:
    """Splits CTX_<i> or GEN_<i>."""
    match = re.fullmatch(r"(CTX|GEN)_(\d+)", role)
    assert match, f"DISAGG_SERVING_TYPE is {role!r}, which is no role"
    kind, index = match[1].lower(), int(match[2])
    count = case.num_ctx if kind == "ctx" else case.num_gen
    assert index < count, f"there is no {role}: this case has {count} {kind} servers"
    return kind, index
