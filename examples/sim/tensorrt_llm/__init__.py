"""A stand-in for the `tensorrt_llm` package: the parts a launcher touches, without GPUs."""
