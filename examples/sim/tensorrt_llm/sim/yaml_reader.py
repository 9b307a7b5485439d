"""A strict reader for the part of YAML that perf-sanity files and worker configs use.

The standard library has no YAML, and the sim must run on a bare Python. Supported: block mappings and
sequences, plain and quoted scalars over one or several lines, `|` and `>` blocks, flow lists and maps,
anchors and aliases, comments. Everything else (tags, merge keys, several documents, tabs) is refused with
its line number: a config that is read wrongly costs more than one that is not read.

Scalars resolve as in YAML 1.2, so `02:00:00` and `yes` stay strings.
"""

from __future__ import annotations

import re

from tensorrt_llm.sim.yaml_flow import Flow, Incomplete, YamlError, resolve_plain

_BLOCK_HEADER = re.compile(r"([|>])([-+]?)\s*(#.*)?$")


def load(text: str):
    """Returns the one document in `text` as dicts, lists and scalars."""
    return _Reader(text).document()


def load_file(path: str):
    """Returns the document in the file at `path`; errors name the file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return load(text)
    except YamlError as error:
        raise YamlError(f"{path}: {error}") from None


class _Reader:
    """Reads line by line: `at` is the line that comes next, `seen` the last one looked at."""

    def __init__(self, text: str):
        self.lines = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
        self.at = 0
        self.seen = 0
        self.anchors: dict[str, object] = {}

    def document(self):
        line = self._peek()
        if line and line[1] == "---":
            self.at += 1
            line = self._peek()
        value = self._block(line[0]) if line else None
        if self._peek():
            self._fail("text that belongs to no key")
        return value

    def _fail(self, reason: str):
        raise YamlError(f"line {self.seen + 1}: {reason}")

    def _peek(self) -> tuple[int, str] | None:
        """Returns indent and content of the next line that is neither blank nor a comment."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            content = line.strip()
            self.seen = self.at
            if content and not content.startswith("#"):
                indent = len(line) - len(line.lstrip(" "))
                if line[indent] == "\t":
                    self._fail("a tab in the indentation")
                return indent, content
            self.at += 1
        return None

    def _block(self, indent: int):
        content = self._peek()[1]
        if _is_item(content):
            return self._sequence(indent)
        if _key_end(content) is not None:
            return self._mapping(indent)
        self.at += 1
        return self._value(content, indent - 1)

    def _mapping(self, indent: int) -> dict:
        result = {}
        while (line := self._peek()) and line[0] == indent:
            content = line[1]
            end = _key_end(content)
            if _is_item(content) or end is None:
                self._fail("expected `key: value`")
            key = self._key(content[:end].rstrip())
            if key in result:
                self._fail(f"the key {key!r} appears twice")
            self.at += 1
            result[key] = self._value(content[end + 1 :].strip(), indent, in_mapping=True)
        self._check_dedent(indent)
        return result

    def _sequence(self, indent: int) -> list:
        result = []
        while (line := self._peek()) and line[0] == indent and _is_item(line[1]):
            rest = line[1][1:]
            inner = rest.lstrip(" ")
            if _is_item(inner) or _key_end(inner) is not None:
                # `- key: value`: blank out the dash, and what is left reads as a nested block.
                column = indent + 1 + len(rest) - len(inner)
                self.lines[self.at] = " " * column + inner
                result.append(self._block(column))
            else:
                self.at += 1
                result.append(self._value(inner, indent))
        self._check_dedent(indent)
        return result

    def _check_dedent(self, indent: int):
        line = self._peek()
        if line and line[0] > indent:
            self._fail("deeper indentation than the lines before it")

    def _key(self, text: str):
        if text[0] in "\"'":
            return Flow(text).value()
        key = resolve_plain(text)
        if key == "<<":
            self._fail("merge keys are not supported")
        return key

    def _value(self, text: str, indent: int, in_mapping: bool = False):
        """Reads what follows `key:` or `- `: `text` on that line, and the lines below that are deeper."""
        if text.startswith("&"):
            name, _, rest = text[1:].partition(" ")
            self.anchors[name] = value = self._value(rest.strip(), indent, in_mapping)
            return value
        if text.startswith("*"):
            name = _without_comment(text)[1:]
            if name not in self.anchors:
                self._fail(f"the alias *{name} has no anchor before it")
            return self.anchors[name]
        if not text or text.startswith("#"):
            return self._nested(indent, in_mapping)
        if text[0] in "|>":
            return self._block_scalar(text, indent)
        if text[0] in "[{\"'":
            return self._flow(text, indent)
        if text[0] in "!%@`" or _is_item(text) or text.startswith("? "):
            self._fail(f"{text[0]} is not supported here")
        return self._plain(text, indent)

    def _nested(self, indent: int, in_mapping: bool):
        line = self._peek()
        if line and (line[0] > indent or (in_mapping and line[0] == indent and _is_item(line[1]))):
            return self._block(line[0])
        return None

    def _plain(self, text: str, indent: int):
        words = _without_comment(text)
        if _key_end(words) is not None:
            self._fail("a second `key:` on one line")
        # A comment ends the value, as does a line that is no deeper.
        while words == text and (more := self._continuation(indent)) is not None:
            if _key_end(more) is not None:
                self._fail("`key:` inside a value of several lines")
            text = f"{words} {more}"
            words = f"{words} {_without_comment(more)}"
        return resolve_plain(words)

    def _continuation(self, indent: int) -> str | None:
        """Takes the next line if it carries on a value that began at `indent`."""
        if self.at == len(self.lines):
            return None
        line = self.lines[self.at]
        content = line.strip()
        if not content or content.startswith("#") or len(line) - len(line.lstrip(" ")) <= indent:
            return None
        self.seen = self.at
        self.at += 1
        return content

    def _flow(self, text: str, indent: int):
        """Reads a list, map or quoted scalar, taking further lines until it is closed."""
        while True:
            flow = Flow(text)
            try:
                value = flow.value()
            except Incomplete:
                more = self._continuation(indent)
                if more is None:
                    self._fail("a list, map or quote that is not closed")
                text = f"{text}\n{more}"
                continue
            except YamlError as error:
                self._fail(str(error))
            if flow.rest():
                self._fail(f"text after the value: {flow.rest()}")
            return value

    def _block_scalar(self, header: str, indent: int) -> str:
        match = _BLOCK_HEADER.match(header)
        if not match:
            self._fail(f"the block header {header!r} is not supported")
        style, chomp = match[1], match[2]
        lines: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            lines.append(line)
            self.at += 1
        margin = min((len(x) - len(x.lstrip(" ")) for x in lines if x.strip()), default=0)
        lines = [line[margin:].rstrip(" ") if not line.strip() else line[margin:] for line in lines]
        if style == ">" and any(line.startswith(" ") for line in lines):
            self._fail("deeper lines inside a folded block are not supported")
        tail = len(lines)
        while tail and not lines[tail - 1]:
            tail -= 1
        body = "\n".join(lines[:tail]) if style == "|" else _fold(lines[:tail])
        ending = {"-": "", "": "\n" if body else "", "+": "\n" * (len(lines) - tail + 1)}
        return body + ending[chomp]


def _is_item(content: str) -> bool:
    return content == "-" or content.startswith("- ")


def _without_comment(text: str) -> str:
    cut = text.find(" #")
    return text if cut < 0 else text[:cut].rstrip()


def _key_end(content: str) -> int | None:
    """Returns where the colon of `key:` is, or None when the line holds no key."""
    start = 0
    if content[:1] in ("'", '"'):
        flow = Flow(content)
        try:
            flow.value()
        except (Incomplete, YamlError):
            return None
        start = flow.at
        if content[start : start + 1] != ":":
            return None
    elif content[:1] in ("[", "{", "&", "*", "|", ">", "!", "%", "@", "`", "#"):
        return None
    comment = content.find(" #", start)
    limit = len(content) if comment < 0 else comment
    at = content.find(":", start)
    while 0 <= at < limit:
        if content[at + 1 : at + 2] in ("", " "):
            return at
        at = content.find(":", at + 1)
    return None


def _fold(lines: list[str]) -> str:
    """Joins lines with spaces; blank lines become line breaks."""
    text = ""
    for line in lines:
        if not line:
            text += "\n"
        elif text and not text.endswith("\n"):
            text += f" {line}"
        else:
            text += line
    return text
