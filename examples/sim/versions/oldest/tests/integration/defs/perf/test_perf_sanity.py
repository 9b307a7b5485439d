"""The end-to-end test as it was when the config said what is measured, and its id only named the config. Every role
runs it under the same id; perf_roles.py has what each does.

The constants say what this version of the test differs in.
"""

from perf_roles import play
from perf_version import Version

CONFIG_FOLDER_VARIABLE = "TRTLLM_CONFIG_FOLDER"
CONFIG_FOLDER = "tests/integration/defs/perf/disagg/test_configs/disagg/perf"
SERVER_LOG = "trtllm-serve.0.{role}.log"

VERSION = Version(config_variable=CONFIG_FOLDER_VARIABLE, config_folder=CONFIG_FOLDER, server_log=SERVER_LOG)


def test_e2e(test_id: str, output_dir: str, checkout: str):
    """Plays this process's part in the case `test_id`."""
    play(VERSION, test_id, output_dir, checkout)
