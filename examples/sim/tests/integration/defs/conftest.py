"""Command line options of the integration tests, and the test ids that a run asks for."""

import os
import re
import sys

import pytest

CHECKOUT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
if CHECKOUT not in sys.path:
    sys.path.insert(0, CHECKOUT)

from tensorrt_llm.sim import faults  # noqa: E402

# Options of upstream's command lines that change nothing here. The last ones belong to pytest-timeout and
# pytest-split, and are added only where those are not installed.
_IGNORED = ["--test-prefix", "--waives-file", "--csv", "--periodic-junit-xmlpath", "--periodic-batch-size"]
_IGNORED += ["--timeout", "--timeout-method", "--splitting-algorithm", "--splits", "--group"]
_TEST_ID = re.compile(r"test_e2e\[([^\]]+)\]")


def pytest_addoption(parser):
    """Accepts upstream's options."""
    parser.addoption("--output-dir", help="folder for everything a test leaves behind; all roles need the same")
    parser.addoption("--test-list", help="file with one test per line: [perf/]test_perf_sanity.py::test_e2e[ID]")
    parser.addoption("--periodic-junit", action="store_true", help="ignored")
    for name in _IGNORED:
        try:
            parser.addoption(name, help="ignored")
        except ValueError:
            continue  # the plugin is installed


def pytest_configure():
    """Refuses malformed faults before any role waits for another."""
    try:
        faults.parse(os.environ.get(faults.VARIABLE, ""))
    except faults.FaultError as error:
        pytest.exit(f"{faults.VARIABLE}: {error}", returncode=2)


def pytest_generate_tests(metafunc):
    """Makes one test per id that was asked for: a checkout holds no list of all ids."""
    if "test_id" in metafunc.fixturenames:
        ids = requested_ids(metafunc.config)
        metafunc.parametrize("test_id", ids, ids=ids)


def requested_ids(config) -> list[str]:
    """Returns the ids named on the command line and in --test-list, each once."""
    text = "\n".join(config.args) + "\n"
    if path := config.getoption("--test-list"):
        with open(path, encoding="utf-8") as file:
            text += "".join(line for line in file if not line.lstrip().startswith("#"))
    ids = list(dict.fromkeys(_TEST_ID.findall(text)))
    if not ids:
        raise pytest.UsageError("which test? name test_perf_sanity.py::test_e2e[ID] or give --test-list FILE")
    return ids


@pytest.fixture
def output_dir(pytestconfig) -> str:
    """Returns --output-dir. It has no default: roles that guess differently would wait for each other for ever."""
    path = pytestconfig.getoption("--output-dir")
    if not path:
        raise pytest.UsageError("--output-dir is required")
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def checkout() -> str:
    """Returns the root of this checkout."""
    return CHECKOUT
