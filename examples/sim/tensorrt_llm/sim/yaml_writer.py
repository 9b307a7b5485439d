"""Writes plain data as block-style YAML that any YAML reader, this package's included, reads back."""

from __future__ import annotations

import json
import re

from tensorrt_llm.sim.yaml_flow import resolve_plain

_PLAIN = re.compile(r"[A-Za-z_/][\w./+=@-]*$", re.ASCII)
_AMBIGUOUS = {"yes", "no", "on", "off", "y", "n"}  # booleans to YAML 1.1 readers


def dump(value) -> str:
    """Returns `value` (dicts, lists, scalars) as a YAML document."""
    if _is_nested(value):
        return "\n".join(_lines(value, 0)) + "\n"
    return _scalar(value) + "\n"


def _is_nested(value) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _lines(value, indent: int):
    pad = " " * indent
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in entries:
        lead = f"{pad}-" if key is None else f"{pad}{_scalar(key)}:"
        if _is_nested(item):
            yield lead
            yield from _lines(item, indent + 2)
        else:
            yield f"{lead} {_scalar(item)}"


def _scalar(value) -> str:
    if isinstance(value, str) and not _is_plain(value):
        return json.dumps(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.match(text)) and resolve_plain(text) == text and text.lower() not in _AMBIGUOUS
