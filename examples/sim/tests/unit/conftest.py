"""Makes the checkout and the helper modules of the integration test importable."""

import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests/integration/defs/perf")]
