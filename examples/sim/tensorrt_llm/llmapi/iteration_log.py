"""Where the engine's iteration lines go.

Upstream's engine runs in the launcher's leader process, so its lines are in the output of the step, while what
trtllm-serve prints is in a file of the test. Here the engine is a part of trtllm-serve and prints the lines itself,
unless the fault upstream-logs is asked for: then they go to the launcher over the address that it handed down.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from tensorrt_llm import logger
from tensorrt_llm.sim.faults import Faults
from tensorrt_llm.sim.files import parse_address

KIND = "upstream-logs"
ADDRESS_VARIABLE = "TLLM_SPAWN_PROXY_PROCESS_IPC_ADDR"


def printer(faults: Faults, environ=os.environ) -> Callable[[str], None]:
    """Returns what the engine prints its lines with."""
    if not faults.active(KIND) or ADDRESS_VARIABLE not in environ:
        return logger.engine
    launcher = socket.create_connection(parse_address(environ[ADDRESS_VARIABLE]))
    return lambda line: launcher.sendall(line.encode() + b"\n")


def start_leader(address: str) -> threading.Event:
    """Starts printing the lines that come in at `address`, from one engine after the other. Returns an event that is
    set while the latest engine is gone and all that it sent is printed."""
    listener = socket.create_server(parse_address(address))
    idle = threading.Event()

    def run():
        while True:
            connection, _ = listener.accept()
            idle.clear()
            with connection, connection.makefile() as lines:
                for line in lines:
                    logger.engine(line.rstrip("\n"))
            idle.set()

    threading.Thread(target=run, name="leader", daemon=True).start()
    return idle
