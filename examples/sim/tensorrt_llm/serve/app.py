"""What the worker and the coordinator have in common as processes: bind, publish, serve, stop."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket

from tensorrt_llm import logger
from tensorrt_llm.serve import completions, http_server
from tensorrt_llm.sim import files

COMPLETIONS = "/v1/completions"


class ServerApp:
    """One listening server process.

    `handler` answers requests, unless a fault answers first. `background` is awaited alongside; when it returns
    or raises, the process ends with code 1.
    """

    def __init__(self, name: str, handler, background, faults):
        self._name = name
        self._handler = handler
        self._background = background
        self._faults = faults
        self._stopping = asyncio.Event()
        self._exit_code = 0

    async def run(self, host: str, port: int, report_addr: str | None) -> int:
        """Serves until told to stop; returns the exit code."""
        self._handle_signals()
        raise_descriptor_limit()
        sock = _bind(host, port)
        server = await http_server.listen(sock, self._answer)
        address = files.format_address(host, sock.getsockname()[1])
        if report_addr:
            files.write_atomic(report_addr, address)
        logger.info(f"{self._name} listening on http://{address}")
        work = asyncio.create_task(self._background())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            self._exit_code = 1
            logger.error(f"{self._name} gives up: {work.exception()}")
        else:
            logger.info(f"{self._name} stopping")
            await asyncio.sleep(self._faults.argument("slow-stop"))
        server.close()
        return self._exit_code

    def _handle_signals(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, 0)
        loop.add_signal_handler(signal.SIGINT, self._stop, 128 + signal.SIGINT)

    def _stop(self, exit_code: int):
        if self._faults.active("ignore-term"):
            logger.remark("ignoring the signal to stop, as SIM_FAULTS asks")
            return
        self._exit_code = exit_code
        self._stopping.set()

    async def _answer(self, exchange: http_server.Exchange):
        if self._faults.active("hang"):
            await asyncio.Event().wait()
        if exchange.path == "/health" and self._faults.active("unready"):
            return await exchange.send_json(503, {"status": "loading"})
        if exchange.path == "/health" and self._faults.active("unhealthy"):
            return await exchange.send_json(200, {"status": "unhealthy"})
        if exchange.path == COMPLETIONS and self._faults.take_failed_request():
            return await exchange.send_error(500, "sim fault: this request fails")
        if exchange.path == COMPLETIONS and self._faults.active("zero-tokens"):
            return await completions.send_nothing(exchange)
        await self._handler(exchange)


async def stall_point(faults):
    """Never returns once the process is to make no progress. Every loop that produces something passes here."""
    if faults.active("stall"):
        await asyncio.Event().wait()


def raise_descriptor_limit():
    """Allows as many connections as the host does: a benchmark may open thousands at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bind(host: str, port: int) -> socket.socket:
    """Binds the first address of `host` only: with port 0, a second one would get another port."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.setblocking(False)
    return sock
