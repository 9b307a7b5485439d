"""The end-to-end test as it was when it still chose the ports of its servers. Every role runs it under the same id;
perf_roles.py has what each does.

The constant says what this version of the test knows. Whoever starts it may read it here, so it is spelled out.
"""

from perf_roles import play
from perf_version import Version

DISAGG_BENCHMARK_MODES = ("e2e", "gen_only")

VERSION = Version(disagg_modes=DISAGG_BENCHMARK_MODES)


def test_e2e(test_id: str, output_dir: str, checkout: str):
    """Plays this process's part in the case `test_id`."""
    play(VERSION, test_id, output_dir, checkout)
