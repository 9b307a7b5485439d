"""A small HTTP/1.1 server for asyncio: one request per connection, JSON or a chunked stream as the answer."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

MAX_BODY = 64 * 1024 * 1024
_REQUEST_HEAD = 64 * 1024


class BadRequest(Exception):
    """The client sent something this server cannot work with."""


class Exchange:
    """One request and the answer to it."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.started = False
        self._writer = writer

    def json(self) -> dict:
        """Returns the body, which must be a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadRequest("the body is not a JSON object")
        return value

    async def send_json(self, status: int, value):
        """Sends a complete answer."""
        body = json.dumps(value).encode()
        self._head(status, "application/json", f"Content-Length: {len(body)}")
        self._writer.write(body)
        await self._writer.drain()

    async def send_error(self, status: int, message: str):
        """Sends a complete answer in the form OpenAI clients expect of an error."""
        await self.send_json(status, {"error": {"message": message, "code": status}})

    def start_stream(self):
        """Sends the head of a stream of server-sent events."""
        self._head(200, "text/event-stream", "Transfer-Encoding: chunked")

    async def send_chunk(self, data: bytes):
        """Sends a part of the stream. Raises ConnectionError when the client has left."""
        if self._writer.is_closing():
            raise ConnectionResetError("the client left")
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def end_stream(self):
        """Says that the stream is complete. Without it the client sees a broken answer rather than a short one."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _head(self, status: int, content_type: str, framing: str):
        self.started = True
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
        self._writer.write(f"{head}{framing}\r\nConnection: close\r\n\r\n".encode("latin-1"))


async def listen(sock, handler) -> asyncio.Server:
    """Serves `handler(exchange)` on a bound socket."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        try:
            exchange = await _read_request(reader, writer)
            if exchange:
                await _answer(exchange, handler)
        except ConnectionError:
            pass  # the client left; whatever it had asked for was stopped on the way here
        finally:
            writer.close()

    return await asyncio.start_server(connected, sock=sock, limit=_REQUEST_HEAD, backlog=2048)


async def _read_request(reader, writer) -> Exchange | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = request.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= MAX_BODY:
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        return None  # not HTTP, or a connection opened only to see whether the port answers
    return Exchange(method, target.partition("?")[0], headers, body, writer)


async def _answer(exchange: Exchange, handler):
    try:
        await handler(exchange)
    except BadRequest as error:
        await exchange.send_error(400, str(error))
    except ConnectionError:
        raise
    except Exception as error:  # a bug, or a worker that broke: the client must see a failed request
        if not exchange.started:
            await exchange.send_error(500, f"{type(error).__name__}: {error}")
