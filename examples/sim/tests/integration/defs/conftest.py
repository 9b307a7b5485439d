"""Command line options of the integration tests, and the test ids that a run asks for."""

import os
import re
import sys

import pytest

CHECKOUT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
if CHECKOUT not in sys.path:
    sys.path.insert(0, CHECKOUT)

from tensorrt_llm.sim import faults  # noqa: E402

_TEST_ID = re.compile(r"test_e2e\[([^\]]+)\]")


def pytest_addoption(parser):
    """Accepts upstream's option."""
    parser.addoption("--output-dir", help="folder for everything a test leaves behind; all roles need the same")


def pytest_configure():
    """Ends with code 2 when the faults are malformed, before any role waits for another."""
    try:
        faults.load(faults.TEST).arm()
    except SystemExit as end:
        pytest.exit(f"{faults.VARIABLE} is malformed", returncode=end.code)


def pytest_generate_tests(metafunc):
    """Makes one test per id on the command line that this version of the test knows: a checkout holds no list of ids.
    Others are not found, for which pytest has a code of its own."""
    if "test_id" in metafunc.fixturenames:
        from perf_ids import is_known  # beside the test, whose folder is on the path by now

        ids = list(dict.fromkeys(_TEST_ID.findall("\n".join(metafunc.config.args))))
        if not ids:
            raise pytest.UsageError("which test? name perf/test_perf_sanity.py::test_e2e[ID]")
        known = [test_id for test_id in ids if is_known(test_id, metafunc.module.VERSION, CHECKOUT)]
        metafunc.parametrize("test_id", known, ids=known)


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
