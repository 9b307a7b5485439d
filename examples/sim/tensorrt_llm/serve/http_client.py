"""A small HTTP/1.1 client for asyncio, for the coordinator and the benchmark: one request per connection."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

_LINE_LIMIT = 1024 * 1024


class BrokenResponse(Exception):
    """The server stopped answering before its answer was complete."""


class Response:
    """The answer to one request. Read it with `read`, or piece by piece with `chunks`."""

    def __init__(self, status: int, headers: dict[str, str], reader: asyncio.StreamReader):
        self.status = status
        self._headers = headers
        self._reader = reader

    async def read(self) -> bytes:
        """Returns the whole body."""
        if "content-length" in self._headers:
            try:
                return await self._reader.readexactly(int(self._headers["content-length"]))
            except asyncio.IncompleteReadError as error:
                raise BrokenResponse("the connection ended inside the body") from error
        return b"".join([chunk async for chunk in self.chunks()])

    async def json(self) -> dict:
        """Returns the whole body as JSON."""
        return json.loads(await self.read())

    async def chunks(self):
        """Yields the chunks of a streamed body as the server sent them."""
        try:
            while size := int(await self._reader.readline() or b"x", 16):
                yield (await self._reader.readexactly(size + 2))[:-2]
        except (ValueError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenResponse("the connection ended inside the stream") from error


@asynccontextmanager
async def request(host: str, port: int, method: str, path: str, body: bytes = b"", headers: dict | None = None):
    """Sends a request and yields the Response; the connection closes when the block ends."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    head = "\r\n".join([*lines, "Content-Type: application/json", "Connection: close", "", ""])
    reader, writer = await asyncio.open_connection(host, port, limit=_LINE_LIMIT)
    try:
        writer.write(head.encode("latin-1") + body)
        await writer.drain()
        yield await _read_head(reader)
    finally:
        writer.close()


async def _read_head(reader: asyncio.StreamReader) -> Response:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Response(int(status.split(" ")[1]), headers, reader)
    except (ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise BrokenResponse("the connection ended before an answer came") from error
