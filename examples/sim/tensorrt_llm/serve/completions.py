"""The OpenAI completions protocol with the `disaggregated_params` extension, as text on the wire."""

from __future__ import annotations

import json
import time

from tensorrt_llm.serve.http_server import BadRequest, Exchange

DONE = b"data: [DONE]\n\n"
AUTH_HEADER = "X-Internal-Auth"
TOKEN = " tok"


class Request:
    """A completion request, checked."""

    def __init__(self, body: dict):
        self.model = body.get("model", "")
        self.input_tokens = _count_tokens(body.get("prompt"))
        self.max_tokens = body.get("max_tokens", 16)
        self.stream = bool(body.get("stream", False))
        self.include_usage = bool((body.get("stream_options") or {}).get("include_usage", False))
        self.disaggregated = body.get("disaggregated_params")
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise BadRequest("max_tokens must be a positive integer")

    def usage(self, completion_tokens: int) -> dict:
        """Returns the token counts a client bills or measures by."""
        total = self.input_tokens + completion_tokens
        return {"prompt_tokens": self.input_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


class Answer:
    """Builds the JSON of one answer, whole or event by event."""

    def __init__(self, request: Request, number: int):
        self._request = request
        self._frame = {
            "id": f"cmpl-{number}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": request.model,
        }

    def whole(self, tokens: int, extra: dict) -> dict:
        """Returns the answer to a request that does not stream."""
        return self._frame | {"choices": [_choice(tokens, "length", extra)], "usage": self._request.usage(tokens)}

    def event(self, tokens: int, finished: bool, extra: dict) -> bytes:
        """Returns the event that carries the next `tokens`."""
        choice = _choice(tokens, "length" if finished else None, extra)
        return _event(self._frame | {"choices": [choice]})

    def ending(self, tokens: int) -> bytes:
        """Returns what closes a stream that carried `tokens` in all."""
        if not self._request.include_usage:
            return DONE
        return _event(self._frame | {"choices": [], "usage": self._request.usage(tokens)}) + DONE


async def send_nothing(exchange: Exchange):
    """Answers a completion request properly, with not a single token."""
    request = Request(exchange.json())
    answer = Answer(request, 0)
    if not request.stream:
        return await exchange.send_json(200, answer.whole(0, {}))
    exchange.start_stream()
    await exchange.send_chunk(answer.ending(0))
    await exchange.end_stream()


def error_event(message: str) -> bytes:
    """Returns the event that tells the client of a stream that it failed."""
    return _event({"error": {"message": message, "code": 500}})


def _choice(tokens: int, finish_reason: str | None, extra: dict) -> dict:
    return {"index": 0, "text": TOKEN * tokens, "finish_reason": finish_reason} | extra


def _event(value: dict) -> bytes:
    return b"data: %b\n\n" % json.dumps(value).encode()


def _count_tokens(prompt) -> int:
    """Counts a list of token ids exactly, and takes one token per word for text."""
    if isinstance(prompt, str):
        return max(1, len(prompt.split()))
    if isinstance(prompt, list) and prompt:
        return len(prompt)
    raise BadRequest("prompt must be text or a list of token ids")
