"""`trtllm-llmapi-launch CMD...`: runs CMD on rank 0 and keeps the other ranks as MPI workers until it is done.

CMD must not see that it is one of several tasks, or it would try to be an MPI rank itself; so rank 0 strips what
Slurm and MPI put into its environment, and joins MPI beside it, as the leader. MPI lives in a thread of its own:
its calls block, and the main thread has signals to pass on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from tensorrt_llm import logger
from tensorrt_llm.sim import faults as sim_faults
from tensorrt_llm.sim import ranks
from tensorrt_llm.sim.wakeups import DONE, Wakeups

PROGRAM = "trtllm-llmapi-launch"
_STRIPPED = ("OMPI_", "PMIX_", "PMI_", "SLURM_", "MPI_", "UCX_", "I_MPI_", "HYDRA_", "KMP_", "MPICH_", "MV2_", "CRAY_")

# How long the leader may take to part from the workers once CMD has ended.
_ORDERLY_SECONDS = 10.0
_HASTY_SECONDS = 0.3  # well below the second after which Slurm's PMIx kills a step that a rank has left


def main(command: list[str]) -> int:
    """Plays this rank's part; returns the exit code."""
    if not command:
        logger.complain(PROGRAM, "usage: trtllm-llmapi-launch CMD [ARG...]")
        return 2
    rank, size = ranks.rank_and_size()
    if rank == 0:
        return _Leader(command, size).run()
    return _Worker(rank, size).run()


class _Leader:
    """Rank 0."""

    def __init__(self, command: list[str], size: int):
        self._command = command
        self._size = size
        self._faults = sim_faults.load(sim_faults.LAUNCHER)
        self._signals: list[int] = []
        self._ended = threading.Event()

    def run(self) -> int:
        import subprocess  # here, because idle ranks, of which there are dozens, do without

        self._faults.arm()
        environment = child_environment(os.environ, self._size)
        engine_gone = None
        if self._faults.active("upstream-logs"):
            from tensorrt_llm.llmapi import iteration_log

            engine_gone = iteration_log.start_leader(environment[iteration_log.ADDRESS_VARIABLE])
        library = _mpi_library(0, self._size)
        wakeups = Wakeups(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        try:
            child = subprocess.Popen(self._command, env=environment)
        except OSError as error:
            logger.complain(PROGRAM, f"cannot run {self._command[0]}: {error.strerror}")
            return 126 if isinstance(error, PermissionError) else 127
        mpi_thread = _join_mpi(library, self._lead) if library else None
        while (status := child.poll()) is None:
            if (number := wakeups.next()) != signal.SIGCHLD:
                self._signals.append(number)
                child.send_signal(number)
        code = status if status >= 0 else 128 - status
        if engine_gone:
            engine_gone.wait(_HASTY_SECONDS)  # the last lines of the engine
        print(f"\033[33mRank0 Task exit code: {code}\033[0m", file=sys.stderr, flush=True)
        if code and not self._signals and self._faults.active("launcher-stays"):
            # The older launcher did not tell its leader to stop when the task had failed, so all ranks went on waiting.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            sim_faults.wait_for_ever()
        self._ended.set()
        if mpi_thread:
            mpi_thread.join(_HASTY_SECONDS if self._signals else _ORDERLY_SECONDS)
            _leave(code)
        return code

    def _lead(self, world):
        self._ended.wait()
        orderly = not self._signals  # when signalled, the workers may be gone: do not wait for them
        world.release_workers(orderly)
        if orderly:
            world.finalize()


class _Worker:
    """Any other rank: idle until rank 0 is done."""

    def __init__(self, rank: int, size: int):
        self._rank = rank
        self._size = size
        self._faults = sim_faults.load(sim_faults.RANK)

    def run(self) -> int:
        wakeups = Wakeups(signal.SIGTERM, signal.SIGINT)
        self._faults.arm()
        library = _mpi_library(self._rank, self._size)

        def serve(world):
            if world.wait_for_release():
                world.finalize()
            wakeups.done()

        if library:
            _join_mpi(library, serve)
        while (number := wakeups.next()) != DONE and self._faults.active("ignore-term"):
            pass
        if number != DONE:
            time.sleep(self._faults.argument("slow-stop"))
        _leave(0 if number in (DONE, signal.SIGTERM) else 128 + number)


def child_environment(environ, size: int) -> dict[str, str]:
    """Returns the environment for CMD: without the launcher's variables, with what the engine's proxy needs."""
    prefixes = tuple(p for p in _STRIPPED if p != "UCX_" or environ.get("TRTLLM_PRESERVE_UCX_ENV") != "1")
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes)}
    return kept | {
        "TLLM_SPAWN_PROXY_PROCESS": "1",
        "TLLM_SPAWN_PROXY_PROCESS_IPC_ADDR": f"tcp://127.0.0.1:{_free_port()}",
        "tllm_mpi_size": str(size),
        ranks.RANK_VARIABLE: "0",
    }


def _free_port() -> int:
    """Finds a port that nobody holds after that either, as in the real launcher."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _mpi_library(rank: int, size: int):
    """Returns the MPI library, or None where this rank has no MPI to join."""
    if "PMIX_RANK" not in os.environ:
        if size > 1:
            logger.remark(f"rank {rank} of {size}: no PMIx here, so no MPI to join; the real engine would need it")
        return None
    from tensorrt_llm.llmapi import mpi

    try:
        return mpi.load_library()
    except mpi.MpiMissing as error:
        if os.environ.get("SIM_MPI") == "require":
            logger.complain(PROGRAM, f"SIM_MPI=require, but {error}")
            raise SystemExit(1) from None
        logger.remark(f"rank {rank} of {size} runs without MPI: {error}")
        return None


def _join_mpi(library, part) -> threading.Thread:
    """Starts a thread that joins MPI and runs `part(world)`."""
    from tensorrt_llm.llmapi import mpi

    def run():
        world = mpi.World(library)
        logger.remark(f"MPI rank {world.rank} of {world.size} on {os.uname().nodename}")
        part(world)

    thread = threading.Thread(target=run, name="mpi", daemon=True)
    thread.start()
    return thread


def _leave(code: int):
    """Ends the process at once: with MPI still in another thread an orderly interpreter exit could hang."""
    sys.stdout.flush()
    os._exit(code)
