"""What the processes of a case are given: an engine to serve, the load of a client."""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from _model_paths import MODEL_PATH_DICT

from tensorrt_llm.sim.worker_config import without_harness_keys

_ROOT_VARIABLE = "LLM_MODELS_ROOT"
_USUAL_LENGTH = 1024  # tokens, of a prompt and of an answer


class Engine(NamedTuple):
    """A worker to start."""

    model: str
    backend: str
    config: dict  # as trtllm-serve reads it
    environment: dict[str, str]


class Load(NamedTuple):
    """One run of a client."""

    concurrency: int
    rounds: int
    input_length: int
    output_length: int
    range_ratio: float
    warm_up: bool
    semianalysis: bool  # the SemiAnalysis client sends it
    environment: dict[str, str]


def engine(block: dict, model: str, environment: dict[str, str]) -> Engine:
    """Returns the engine that a worker's block asks for."""
    return Engine(model, block.get("backend") or "pytorch", without_harness_keys(block), environment)


def lengths(section: dict, input_key: str, output_key: str) -> tuple[int, int]:
    """Returns the lengths that a section asks for."""
    return section.get(input_key, _USUAL_LENGTH), section.get(output_key, _USUAL_LENGTH)


def variables(*texts: str | None) -> dict[str, str]:
    """Returns the variables in texts of NAME=VALUE words; a later one wins."""
    tokens = [token for text in texts for token in shlex.split(text or "")]
    return dict(token.partition("=")[::2] for token in tokens)


def model_path(name: str, environ=os.environ) -> str:
    """Returns the model's folder below the models root if it is there, else its name. Only a model whose folder is
    listed needs a root."""
    root = environ.get(_ROOT_VARIABLE)
    assert root or name not in MODEL_PATH_DICT, f"{_ROOT_VARIABLE} is not set: {name} is a folder below it"
    if not root:
        return name
    assert os.path.exists(root), f"{_ROOT_VARIABLE} is {root}, which does not exist"
    path = os.path.join(root, MODEL_PATH_DICT.get(name, name))
    return path if os.path.exists(path) else name
