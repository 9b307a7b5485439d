"""Asking a server over HTTP: one request per connection, and every way to fail is an OSError."""

from __future__ import annotations

import http.client
import resource
from contextlib import contextmanager


@contextmanager
def ask(address: tuple[str, int], path: str, body: bytes | None = None, headers=None, timeout: float | None = None):
    """Yields the answer to a GET, or with a body to a POST. `timeout` is the longest silence."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers or {})
        yield connection.getresponse()
    except http.client.HTTPException as error:
        raise ConnectionError(f"the connection ended inside the answer: {type(error).__name__}") from error
    finally:
        connection.close()


def raise_descriptor_limit():
    """Allows as many connections as the host does: a benchmark may open thousands at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
