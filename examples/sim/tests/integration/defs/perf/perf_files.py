"""The files through which the roles of one case find each other, and how they wait for them."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable

from perf_version import Version

from tensorrt_llm.sim import faults, files

_FAST = 0.05  # of upstream's poll intervals
_SERVER_LOG = re.compile(r"trtllm-serve\..*\.log|(ctx|gen)_server_\d+\.log|disagg_server\.log")


class CaseFiles:
    """Paths in the output folder of one test."""

    def __init__(self, output_dir: str, test_id: str, version: Version, environ=os.environ):
        run_id = environ.get("TRTLLM_PERF_RUN_TOKEN") or environ.get("SLURM_JOB_ID") or "local"
        self.folder = os.path.join(output_dir, test_id)
        os.makedirs(self.folder, exist_ok=True)
        self.addresses = self.path(f"hostnames-{run_id}-0" if version.address_option else "hostnames-0")
        # Not a .txt file: those are the workers'.
        self.coordinator_address = os.path.join(self.addresses, "DISAGG_SERVER.0.addr")
        self.coordinator_config = self.path("server_config.0.yaml")
        self._server_log = version.server_log
        self._status = self.path("benchmark_status.0.txt")

    def path(self, name: str) -> str:
        """Returns the path of a file in the folder of the test."""
        return os.path.join(self.folder, name)

    def server_log(self, role: str) -> str:
        """Returns the path of the log of a role's server."""
        return self.path(self._server_log.format(role=role))

    def client_log(self, server: int, index: int) -> str:
        """Returns the path of the log of a client run."""
        return self.path(f"trtllm-benchmark.{server}.{index}.log")

    def make_address_folder(self):
        """Makes the folder through which roles find each other."""
        os.makedirs(self.addresses, exist_ok=True)

    def worker_address(self, role: str) -> str:
        """Returns the path of the file with a worker's address."""
        return os.path.join(self.addresses, f"{role}.txt")

    def worker_addresses(self) -> dict[str, str]:
        """Returns the published addresses by role, in the order of the roles' names. Like upstream this takes every
        .txt file in the folder, whoever wrote it."""
        found = {}
        for name in sorted(os.listdir(self.addresses)):
            if name.endswith(".txt"):
                with open(os.path.join(self.addresses, name), encoding="utf-8") as file:
                    found[name.removesuffix(".txt")] = file.read().strip()
        return found

    def server_logs(self) -> list[str]:
        """Returns the logs that the servers and their steps have."""
        return [self.path(name) for name in sorted(os.listdir(self.folder)) if _SERVER_LOG.fullmatch(name)]

    def auth_key(self) -> str:
        """Returns the key for requests between servers: whichever role is first makes it."""
        with open(self.path("internal_request_auth_key.txt"), "a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            key = file.read().strip()
            if not key:
                key = secrets.token_hex(32)
                file.write(key)
        return key

    def report_done(self):
        """Tells every server that the benchmark is over."""
        files.write_atomic(self._status, "Done")

    def is_done(self) -> bool:
        """Says whether the benchmark is over. As upstream, a file from an earlier run counts."""
        return os.path.exists(self._status)


def wait_until(check: Callable[[], bool], interval: float, timeout: float, what: str):
    """Calls `check` until it returns something true: every `interval` seconds, which is upstream's number, with the
    fault slow-poll, and faster without."""
    pause = interval if faults.load(faults.TEST).active("slow-poll") else interval * _FAST
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(pause)
