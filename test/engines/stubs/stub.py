"""Workers of SGLang and vLLM, played: what a router and a client see of them, and nothing behind it.

They take the options of the recipes as the engines do, and refuse others. They load for a moment, join the other nodes
of their server, and hand over a KV cache: a prefill worker keeps it until the decode worker fetches it, at the address
that the router passed on. So a wrong address, a router that asks one worker alone, or a worker that nobody told of its
role make requests fail. The tokens are made up.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import yaml

LOAD = float(os.environ.get("STUB_LOAD_SECONDS", "0.3"))
TOKEN = float(os.environ.get("STUB_TOKEN_SECONDS", "0.005"))
PATIENCE = 20  # seconds that whoever needs another part waits for it


def say(*words):
    """Prints a line that no other thread's can get into."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def from_config(parser, words):
    """Puts the options of --config FILE in the place of the words that name it, as both engines do."""
    if "--config" not in words:
        return words
    at = words.index("--config")
    with open(words[at + 1]) as file:
        config = yaml.safe_load(file) or {}
    found = []
    for key, value in config.items():
        flag = parser._option_string_actions.get("--" + key)
        if isinstance(value, bool) and flag is not None and flag.nargs == 0:
            found += ["--" + key] * value  # false is passed over
        elif isinstance(value, dict):
            found += ["--" + key, json.dumps(value)]
        else:
            found += ["--" + key, *map(str, value if isinstance(value, list) else [value])]
    return words[:at] + found + words[at + 2 :]


@dataclass
class Place:
    """Where a process of a server stands, and where its first one is."""

    nodes: int
    rank: int
    first: tuple


def join(place):
    """Meets the processes of the other nodes. It returns once all are there, with connections that stay."""
    if place.nodes == 1:
        return []
    if place.rank == 0:
        server = socket.create_server(place.first)
        return [server] + [server.accept()[0] for _ in range(place.nodes - 1)]
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return [socket.create_connection(place.first)]
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


class Handover:
    """The KV caches that a prefill worker keeps until they are fetched."""

    def __init__(self, address):
        self.kept, self.news = {}, threading.Condition()
        handover = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with handover.news:
                    handover.news.wait_for(lambda: self.path in handover.kept, PATIENCE)
                    tokens = handover.kept.pop(self.path, None)
                self.send_response(404 if tokens is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(tokens).encode())

            def log_message(self, *args):
                pass

        threading.Thread(target=Server(address, Handler).serve_forever, daemon=True).start()

    def keep(self, key, tokens):
        with self.news:
            self.kept["/" + key] = tokens
            self.news.notify_all()


def fetch(host, port, key):
    with urlopen("http://%s:%s/%s" % (host, port, key), timeout=PATIENCE) as response:
        return json.load(response)


def length(prompt):
    """How many tokens a prompt has: every word is one."""
    if isinstance(prompt, list):
        return length(prompt[0]) if prompt and not isinstance(prompt[0], int) else len(prompt)
    return len(prompt.split())


class Refused(Exception):
    """A request that cannot be served as it is."""


class Handler(BaseHTTPRequestHandler):
    """The HTTP server of a worker; the engine is in the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        engine = self.server.engine
        if self.path.startswith("/health") and time.monotonic() < engine.loaded:
            self.answer(503, {})
        elif self.path in engine.pages or self.path.startswith("/health"):
            self.answer(200, engine.pages.get(self.path, {}))
        else:
            self.answer(404, {"error": "no such page: " + self.path})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/completions":
            self.answer(404, {"error": "no such page: " + self.path})
            return
        try:
            tokens, more = self.server.engine.serve(body)
        except (OSError, Refused) as error:
            say("refused:", error)
            self.answer(500, {"error": {"message": str(error), "code": 500}})
            return
        usage = {"prompt_tokens": length(body["prompt"]), "completion_tokens": tokens}
        if body.get("stream"):
            self.stream(tokens, more, usage if (body.get("stream_options") or {}).get("include_usage") else None)
        else:
            self.answer(200, chunk(" token" * tokens, "length") | {"usage": usage} | more)

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, tokens, more, usage):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for left in range(tokens, 0, -1):
            time.sleep(TOKEN)
            self.event(json.dumps(chunk(" token", None if left > 1 else "length") | more))
        if usage:
            self.event(json.dumps({"object": "text_completion", "choices": [], "usage": usage}))
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def event(self, text):
        data = ("data: %s\n\n" % text).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *args):
        pass


def chunk(text, reason):
    return {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": reason}]}


class Engine:
    """What both engines have in common; serve tells how many tokens a request gets, and what else its answer holds."""

    def __init__(self, model, pages=None):
        models = {"object": "list", "data": [{"id": model, "object": "model"}]}
        self.pages = {"/v1/models": models, **(pages or {})}
        self.loaded = time.monotonic() + LOAD

    def run(self, address, place):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        say("options:", *sys.argv[1:])
        others = join(place)
        if place.rank > 0:  # the first node's process serves
            others[0].recv(1)
            sys.exit("the first node's process is gone")
        server = Server(address, Handler)
        server.engine = self
        say("listening at %s:%d" % address)
        server.serve_forever()


class SGLang(Engine):
    def __init__(self, options):
        info = {"model_path": options.model_path, "tp_size": options.tensor_parallel_size}
        pages = dict.fromkeys(("/get_server_info", "/server_info", "/get_model_info", "/model_info"), info)
        super().__init__(options.served_model_name, pages)
        self.mode = options.disaggregation_mode
        if self.mode == "prefill" and options.node_rank == 0:
            self.handover = Handover((options.host, options.disaggregation_bootstrap_port))

    def serve(self, body):
        try:
            host, port, room = (body["bootstrap_" + part] for part in ("host", "port", "room"))
        except KeyError as missing:
            raise Refused("no %s: it did not come through a router" % missing) from None
        say(self.mode, "for", host, port, room)
        if self.mode == "prefill":
            self.handover.keep(str(room), length(body["prompt"]))
            return 1, {}
        fetch(host, port, room)
        return body.get("max_tokens", 16), {}


class VLLM(Engine):
    def __init__(self, options):
        super().__init__(options.served_model_name)
        self.host = os.environ["VLLM_NIXL_SIDE_CHANNEL_HOST"]
        self.port = int(os.environ["VLLM_NIXL_SIDE_CHANNEL_PORT"])
        if json.loads(options.kv_transfer_config)["kv_connector"] != "NixlConnector":
            sys.exit("only NixlConnector is played")
        if options.node_rank == 0:
            self.handover, self.count, self.lock = Handover((self.host, self.port)), 0, threading.Lock()

    def serve(self, body):
        params = body.get("kv_transfer_params") or {}
        if params.get("do_remote_decode"):
            with self.lock:
                self.count += 1
                name = "request-%d" % self.count
            say("prefill of", name)
            self.handover.keep(name, length(body["prompt"]))
            given = {"do_remote_prefill": True, "do_remote_decode": False, "remote_engine_id": str(os.getpid())}
            given |= {"remote_request_id": name, "remote_block_ids": [[1]], "tp_size": 1}
            given |= {"remote_host": self.host, "remote_port": self.port}
            return body.get("max_tokens", 16), {"kv_transfer_params": given}
        if not params.get("do_remote_prefill"):
            raise Refused("no kv_transfer_params: nobody has prefilled it")
        say("decode of", params["remote_request_id"])
        fetch(params["remote_host"], params["remote_port"], params["remote_request_id"])
        return body.get("max_tokens", 16), {}
