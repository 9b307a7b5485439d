"""The benchmark client, run as `python -m tensorrt_llm.serve.scripts.benchmark_serving`."""
