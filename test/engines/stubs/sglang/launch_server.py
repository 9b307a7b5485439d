"""Plays `python3 -m sglang.launch_server`, with the options that the recipe and its example use."""

import argparse
import sys

from stub import Place, SGLang, from_config


def main():
    parser = argparse.ArgumentParser(prog="sglang serve", allow_abbrev=False)
    for name in ("model-path", "served-model-name", "host"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--disaggregation-mode", choices=["prefill", "decode"], required=True)
    parser.add_argument("--disaggregation-transfer-backend", choices=["mooncake", "nixl"], required=True)
    parser.add_argument("--disaggregation-bootstrap-port", type=int, default=8998)
    for name in ("tensor-parallel-size", "pipeline-parallel-size", "expert-parallel-size", "attn-dp-size", "nnodes"):
        parser.add_argument("--" + name, type=int, default=1)
    for name in ("node-rank", "context-length", "page-size", "max-running-requests"):
        parser.add_argument("--" + name, type=int, default=0)
    parser.add_argument("--mem-fraction-static", type=float)
    for name in ("trust-remote-code", "disable-radix-cache", "disaggregation-decode-enable-radix-cache"):
        parser.add_argument("--" + name, action="store_true")
    parser.add_argument("--dist-init-addr", default="127.0.0.1:0")
    options = parser.parse_args(from_config(parser, sys.argv[1:]))
    host, _, port = options.dist_init_addr.rpartition(":")
    place = Place(options.nnodes, options.node_rank, (host, int(port)))
    SGLang(options).run((options.host, options.port), place)


if __name__ == "__main__":
    main()
