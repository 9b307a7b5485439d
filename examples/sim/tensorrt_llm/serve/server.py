"""What worker and coordinator have in common as processes: bind, publish, answer, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tensorrt_llm import logger
from tensorrt_llm.serve import client, completions
from tensorrt_llm.sim import files
from tensorrt_llm.sim.faults import Faults, wait_for_ever
from tensorrt_llm.sim.wakeups import DONE, Wakeups
from tensorrt_llm.version import __version__


class Exchange(BaseHTTPRequestHandler):
    """One request and the answer to it, in HTTP/1.0: the end of the connection ends a stream, and only the event [DONE]
    says that it is complete."""

    disable_nagle_algorithm = True  # every token is a write of its own
    streams = False
    server: _Listener

    def do_GET(self):
        """Answers a question for the version or the health."""
        faults = self._faults()
        if self.path == "/version":
            self.send_json(200, {"version": __version__})
        elif self.path != "/health":
            self.send_problem(404, f"no such page: {self.path}")
        elif faults.active("unready"):
            self.send_json(503, {"status": "loading"})
        elif faults.active("unhealthy"):
            self.send_json(200, {"status": "unhealthy"})
        else:
            self.send_json(*self.server.service.health())

    def do_POST(self):
        """Answers a completion request."""
        faults = self._faults()
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if self.path != completions.PATH:
                return self.send_problem(404, f"no such page: {self.path}")
            body = json.loads(content)
            request = completions.Request(body)
            if faults.take_failed_request():
                self.send_problem(500, "sim fault: this request fails")
            elif not faults.active("zero-tokens"):
                self.server.service.complete(self, request, body)
            elif request.stream:
                self.send_stream([completions.event(completions.DONE)])
            else:
                self.send_json(200, request.whole(0, {}))
        except (completions.BadRequest, json.JSONDecodeError) as error:
            self.send_problem(400, str(error))

    def send_json(self, status: int, value):
        """Sends a complete answer."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_problem(self, status: int, message: str):
        """Sends a complete answer in the form OpenAI clients expect of an error."""
        self.send_json(status, {"error": {"message": message, "code": status}})

    def send_stream(self, events: Iterable[bytes]):
        """Sends events as they come."""
        for data in events:
            if not self.streams:
                self.streams = True
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_):
        """Logs nothing: the real server's access log is off as well."""

    def _faults(self) -> Faults:
        if self.server.faults.active("hang"):
            wait_for_ever()
        return self.server.faults


class _Listener(ThreadingHTTPServer):
    """The socket, and a thread per connection."""

    request_queue_size = 2048  # a benchmark opens all its connections at once

    def __init__(self, host: str, port: int, service, faults: Faults):
        # Only the first address of the host: with port 0, a second one would get another port.
        self.address_family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.service = service
        self.faults = faults
        super().__init__(address, Exchange)

    def server_bind(self):
        """Binds without asking a name service for this host's name, as HTTPServer would: that can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request, client_address):
        """Shows what went wrong in a request, unless it is only that the client left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(name: str, service, host: str, port: int, report_addr: str | None, faults: Faults):
    """Serves until TERM or INT, or until the service gives up, and ends the process.

    The service has `health()`, which returns status and body for GET /health, and `complete(exchange, request, body)`,
    both called from many threads, and `run()`, which does what else there is to do until it gives up.
    """
    wakeups = Wakeups(signal.SIGTERM, signal.SIGINT)

    def run():
        try:
            service.run()
        except Exception as error:
            logger.error(f"{name} gives up: {error}")
        wakeups.done()

    client.raise_descriptor_limit()
    listener = _Listener(host, port, service, faults)
    address = files.format_address(host, listener.server_address[1])
    if report_addr:
        files.write_atomic(report_addr, address)
    logger.info(f"{name} listening on http://{address}")
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    while (number := wakeups.next()) != DONE and faults.active("ignore-term"):
        logger.remark("ignoring the signal to stop, as SIM_FAULTS asks")
    if number != DONE:
        logger.info(f"{name} stopping")
        time.sleep(faults.argument("slow-stop"))
    code = {DONE: 1, signal.SIGTERM: 0}.get(number, 128 + number)
    os._exit(code)  # threads may be in the middle of anything: an orderly end of the interpreter would wait for them
