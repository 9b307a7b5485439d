"""What the benchmark sends: prompts of token ids with their output lengths, random or from a file."""

from __future__ import annotations

import json
import os
import random
from collections import namedtuple

_VOCABULARY = 32000

# `prompt_json` is ready for the wire: a long prompt is encoded once, not once per request.
Prompt = namedtuple("Prompt", "prompt_json input_tokens output_tokens")


class Scale:
    """The sim's own reduction of a workload, so that a real config runs in seconds."""

    def __init__(self, environ=os.environ):
        self.requests = float(environ.get("SIM_REQUEST_SCALE") or 1)
        self.tokens = float(environ.get("SIM_TOKEN_SCALE") or 1)

    def count(self, requests: int) -> int:
        """Returns how many of `requests` to send."""
        return max(1, round(requests * self.requests))

    def length(self, tokens: int) -> int:
        """Returns how many of `tokens` to use."""
        return max(1, round(tokens * self.tokens))


def random_prompts(count: int, input_len: int, output_len: int, range_ratio: float, seed: int) -> list[Prompt]:
    """Makes `count` prompts with lengths drawn from [length * (1 - ratio), length * (1 + ratio)]."""
    dice = random.Random(seed)
    ids = [dice.randrange(_VOCABULARY) for _ in range(int(input_len * (1 + range_ratio)) + 1)]
    encoded: dict[int, str] = {}
    prompts = []
    for _ in range(count):
        input_tokens = _draw(dice, input_len, range_ratio)
        if input_tokens not in encoded:
            encoded[input_tokens] = json.dumps(ids[:input_tokens])
        prompts.append(Prompt(encoded[input_tokens], input_tokens, _draw(dice, output_len, range_ratio)))
    return prompts


def _draw(dice: random.Random, length: int, ratio: float) -> int:
    return max(1, dice.randint(int(length * (1 - ratio)), int(length * (1 + ratio))))


def custom_prompts(path: str, count: int, scale: Scale) -> list[Prompt]:
    """Reads JSON lines of the form `{"input": {"messages": [{"content": ...}], "max_tokens": N}}`; starts over at the
    end of the file when `count` asks for more."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line)["input"] for line in file if line.strip()]
    if not rows:
        raise ValueError(f"{path} holds no prompts")
    return [_custom_prompt(rows[i % len(rows)], scale) for i in range(count)]


def _custom_prompt(row: dict, scale: Scale) -> Prompt:
    words = " ".join(message["content"] for message in row["messages"]).split()
    words = words[: scale.length(len(words))]
    return Prompt(json.dumps(" ".join(words)), len(words), scale.length(row["max_tokens"]))
