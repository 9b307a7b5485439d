"""The benchmark clients, run as `python -m tensorrt_llm.serve.scripts.benchmark_serving`, or `sa_benchmark_serving`."""
