"""The OpenAI completions protocol with the `disaggregated_params` extension, as text on the wire."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator

PATH = "/v1/completions"
AUTH_HEADER = "X-Internal-Auth"
CONTEXT_ONLY = "context_only"
GENERATION_ONLY = "generation_only"
DONE = b"[DONE]"
TOKEN = " tok"


class BadRequest(Exception):
    """The client sent something this server cannot work with."""


class Request:
    """A completion request, checked, and the JSON of the answer to it, whole or event by event."""

    def __init__(self, body: dict):
        if not isinstance(body, dict):
            raise BadRequest("the body is not a JSON object")
        self.input_tokens = _count_tokens(body.get("prompt"))
        self.max_tokens = body.get("max_tokens", 16)
        self.stream = bool(body.get("stream", False))
        self.disaggregated: dict | None = body.get("disaggregated_params")
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise BadRequest("max_tokens must be a positive integer")
        self._frame = {"object": "text_completion", "created": int(time.time()), "model": body.get("model", "")}

    def whole(self, tokens: int, extra: dict) -> dict:
        """Returns the answer to a request that does not stream."""
        usage = {"prompt_tokens": self.input_tokens, "completion_tokens": tokens}
        return self._frame | {"choices": [_choice(tokens, True) | extra], "usage": usage}

    def token(self, last: bool) -> bytes:
        """Returns the event that carries the next token."""
        return event(json.dumps(self._frame | {"choices": [_choice(1, last)]}).encode())


def event(data: bytes) -> bytes:
    """Returns a server-sent event."""
    return b"data: %b\n\n" % data


def error_event(message: str) -> bytes:
    """Returns the event that tells the client of a stream that it failed."""
    return event(json.dumps({"error": {"message": message, "code": 500}}).encode())


def events(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields what a stream's events say, [DONE] included, after which it ends; raises if it ends without."""
    for line in response:
        if line.startswith(b"data: "):
            data = line[len(b"data: ") :].rstrip(b"\n")
            yield data
            if data == DONE:
                return
    raise ConnectionError("the stream ended without [DONE]")


def _choice(tokens: int, last: bool) -> dict:
    return {"index": 0, "text": TOKEN * tokens, "finish_reason": "length" if last else None}


def _count_tokens(prompt) -> int:
    """Counts a list of token ids exactly, and takes one token per word for text."""
    if isinstance(prompt, str):
        return max(1, len(prompt.split()))
    if isinstance(prompt, list) and prompt:
        return len(prompt)
    raise BadRequest("prompt must be text or a list of token ids")
