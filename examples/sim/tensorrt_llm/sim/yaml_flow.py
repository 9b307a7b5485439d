"""Scalars, and the parts of YAML that are written on one line: `[...]`, `{...}` and quotes."""

from __future__ import annotations

import re

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$")
_CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {word: True for word in ("true", "True", "TRUE")}
_CONSTANTS |= {word: False for word in ("false", "False", "FALSE")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "/": "/", " ": " "}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


class YamlError(ValueError):
    """Text outside the supported subset. The message starts with the line number."""


class Incomplete(Exception):
    """The text ends inside a list, map or quote."""


def resolve_plain(word: str):
    """Returns what an unquoted scalar stands for."""
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _INT.match(word):
        return int(word)
    if _FLOAT.match(word):
        return float(word)
    return word


class Flow:
    """Reads one `[...]`, `{...}` or quoted scalar out of a string."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def rest(self) -> str:
        self._skip_blank()
        return self.text[self.at :]

    def value(self):
        self._skip_blank()
        first = self._char()
        if first == "[":
            return self._list()
        if first == "{":
            return self._map()
        if first == "'":
            return self._single()
        if first == '"':
            return self._double()
        if first in "&*!":
            raise YamlError(f"{first} inside a list or map is not supported")
        return resolve_plain(self._word())

    def _char(self) -> str:
        if self.at >= len(self.text):
            raise Incomplete
        return self.text[self.at]

    def _skip_blank(self):
        while self.at < len(self.text):
            if self.text[self.at] == "#" and (self.at == 0 or self.text[self.at - 1].isspace()):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return

    def _list(self) -> list:
        result = []
        self.at += 1
        while not self._closed("]"):
            result.append(self.value())
            self._separator("]")
        return result

    def _map(self) -> dict:
        result = {}
        self.at += 1
        while not self._closed("}"):
            key = self.value()
            self._skip_blank()
            if self._char() != ":":
                raise YamlError("a map entry without a colon")
            self.at += 1
            self._skip_blank()
            result[key] = None if self._char() in ",}" else self.value()
            self._separator("}")
        return result

    def _closed(self, end: str) -> bool:
        self._skip_blank()
        if self._char() != end:
            return False
        self.at += 1
        return True

    def _separator(self, end: str):
        self._skip_blank()
        if self._char() == ",":
            self.at += 1
        elif self._char() != end:
            raise YamlError(f"expected , or {end}")

    def _word(self) -> str:
        start = self.at
        while self._char() not in ",]}":
            following = self.text[self.at + 1 : self.at + 2]
            if self._char() == ":" and (not following or following in " ,]}\n"):
                break
            if self._char() == "#" and self.text[self.at - 1].isspace():
                break
            self.at += 1
        return " ".join(self.text[start : self.at].split())

    def _single(self) -> str:
        parts = []
        self.at += 1
        while True:
            char = self._char()
            self.at += 1
            if char != "'":
                parts.append(" " if char == "\n" else char)
            elif self.text[self.at : self.at + 1] == "'":
                parts.append("'")
                self.at += 1
            else:
                return "".join(parts)

    def _double(self) -> str:
        parts = []
        self.at += 1
        while (char := self._char()) != '"':
            self.at += 1
            if char != "\\":
                parts.append(" " if char == "\n" else char)
                continue
            escape = self._char()
            self.at += 1
            if escape == "\n":
                continue
            if escape in _HEX_ESCAPES:
                digits = self.text[self.at : self.at + _HEX_ESCAPES[escape]]
                parts.append(chr(int(digits, 16)))
                self.at += _HEX_ESCAPES[escape]
            elif escape in _ESCAPES:
                parts.append(_ESCAPES[escape])
            else:
                raise YamlError(f"unknown escape \\{escape}")
        self.at += 1
        return "".join(parts)
