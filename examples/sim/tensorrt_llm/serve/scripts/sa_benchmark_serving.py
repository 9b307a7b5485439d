"""The SemiAnalysis client, which upstream's test fetches from a repository of its own: the same load, but a result
block that counts no failures, and exit code 0 even when every request failed."""

from __future__ import annotations

import sys

from tensorrt_llm.serve.scripts import benchmark_serving

if __name__ == "__main__":
    sys.exit(benchmark_serving.main(sys.argv[1:], semianalysis=True))
