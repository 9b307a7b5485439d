"""Files that other processes wait for appear whole or not at all."""

from __future__ import annotations

import os


def write_atomic(path: str, text: str):
    """Writes `text` to a sibling of `path` and renames it, so that no reader sees half of it."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def format_address(host: str, port: int) -> str:
    """Returns `host:port`, with an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> tuple[str, int]:
    """Splits `host:port`, also with a scheme before it; the inverse of `format_address`."""
    host, _, port = text.strip().rpartition("//")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{text!r} is not host:port")
    return host.strip("[]"), int(port)
