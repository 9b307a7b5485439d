"""The end-to-end test. Every process of a case runs it under the same id; perf_roles.py has what each does.

The constants say what this version of the test knows. Whoever starts it may read them here, so they are spelled out.
"""

from perf_roles import play
from perf_version import Version

DISAGG_BENCHMARK_MODES = ("e2e", "gen_only")
AGGREGATED_DISAGG_YAML_MODES = ("ctx_only", "gen_only_no_context")
TEST_ID_MODIFIERS = ("time_breakdown",)
ADDRESS_OPTION = "--report_addr"
STEP_TIME_KEY = "prev_device_step_time"

VERSION = Version(
    disagg_modes=DISAGG_BENCHMARK_MODES,
    aggregated_modes=AGGREGATED_DISAGG_YAML_MODES,
    modifiers=TEST_ID_MODIFIERS,
    address_option=ADDRESS_OPTION,
    step_time_key=STEP_TIME_KEY,
)


def test_e2e(test_id: str, output_dir: str, checkout: str):
    """Plays this process's part in the case `test_id`."""
    play(VERSION, test_id, output_dir, checkout)
