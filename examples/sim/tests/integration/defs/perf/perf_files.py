"""The files through which the roles of one case find each other, and how they wait for them."""

from __future__ import annotations

import fcntl
import os
import secrets
import time

from tensorrt_llm.sim import files


class CaseFiles:
    """Paths in the output folder of one test."""

    def __init__(self, output_dir: str, test_id: str, environ=os.environ):
        run_id = environ.get("TRTLLM_PERF_RUN_TOKEN") or environ.get("SLURM_JOB_ID") or "local"
        self.folder = os.path.join(output_dir, test_id)
        self.addresses = os.path.join(self.folder, f"hostnames-{run_id}-0")
        os.makedirs(self.addresses, exist_ok=True)
        self.server_config = self._path("server_config.0.yaml")
        self.status = self._path("benchmark_status.0.txt")

    def address(self, role: str) -> str:
        """Returns where a worker publishes its address."""
        return os.path.join(self.addresses, f"{role}.txt")

    def coordinator_address(self) -> str:
        """Returns where the coordinator publishes its address: not a .txt file, those are the workers'."""
        return os.path.join(self.addresses, "DISAGG_SERVER.0.addr")

    def worker_addresses(self) -> dict[str, str]:
        """Returns the published addresses by role, in the order of the roles' names. Like upstream this takes every
        .txt file in the folder, whoever wrote it."""
        found = {}
        for name in sorted(os.listdir(self.addresses)):
            if name.endswith(".txt"):
                with open(os.path.join(self.addresses, name), encoding="utf-8") as file:
                    found[name.removesuffix(".txt")] = file.read().strip()
        return found

    def worker_config(self, kind: str, mode: str, config: str) -> str:
        """Returns the path of what `trtllm-serve --config` gets."""
        return self._path(f"extra-llm-api-config.{kind}.{mode}-{config}.yml")

    def server_log(self, role: str) -> str:
        """Returns the path of a server's own output."""
        return self._path(f"trtllm-serve.{role}.0.log")

    def server_logs(self) -> list[str]:
        """Returns the server logs that exist."""
        names = os.listdir(self.folder)
        return [self._path(name) for name in names if name.startswith("trtllm-serve.") and name.endswith(".log")]

    def client_log(self, index: int) -> str:
        """Returns the path of one benchmark client's output."""
        return self._path(f"trtllm-benchmark.0.{index}.log")

    def gen_log(self, index: int) -> str:
        """Returns the path of a GEN step's output, which the launcher writes."""
        return self._path(f"gen_server_{index}.log")

    def gen_done(self, index: int) -> str:
        """Returns the path that appears once a GEN step's output is complete."""
        return self._path(f"gen_server_{index}.done")

    def auth_key(self) -> str:
        """Returns the key for requests between servers: whichever role is first makes it."""
        path = self._path("internal_request_auth_key.txt")
        with open(path, "a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            key = file.read().strip()
            if not key:
                key = secrets.token_hex(32)
                file.write(key)
        return key

    def report_done(self):
        """Tells every server that the benchmark is over."""
        files.write_atomic(self.status, "Done")

    def is_done(self) -> bool:
        """Says whether the benchmark is over. As upstream, a file from an earlier run counts."""
        return os.path.exists(self.status)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def wait_until(check, interval: float, timeout: float, what: str):
    """Calls `check` every `interval` seconds, scaled by SIM_POLL_SCALE, until it returns something true."""
    scale = float(os.environ.get("SIM_POLL_SCALE") or 0.05)
    deadline = time.monotonic() + timeout
    while not (result := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(interval * scale)
    return result
