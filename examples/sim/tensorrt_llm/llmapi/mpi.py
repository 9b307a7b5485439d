"""Just enough MPI, through ctypes, to be a real MPI rank under `srun --mpi=pmix`.

The symbols are those of Open MPI, whose handles are addresses of global objects.
"""

from __future__ import annotations

import ctypes
import time

_LIBRARIES = ("libmpi.so.40", "libmpi.so")
_TAG = 1
_POLL_SECONDS = 0.05


class MpiMissing(Exception):
    """There is no Open MPI library on this host."""


def load_library() -> ctypes.CDLL:
    """Returns Open MPI, or raises MpiMissing."""
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)  # Open MPI's plugins look symbols up globally
        except OSError:
            continue
    raise MpiMissing(f"none of {', '.join(_LIBRARIES)} can be loaded")


class World:
    """MPI_COMM_WORLD. All calls must come from the thread that made it."""

    def __init__(self, library: ctypes.CDLL):
        """Joins; blocks until all ranks have joined."""
        self._mpi = library
        self._mpi.MPI_Init(None, None)
        self._comm = self._handle("ompi_mpi_comm_world")
        # A peer that is gone must not abort this rank: it still has an exit code to deliver.
        self._mpi.MPI_Comm_set_errhandler(self._comm, self._handle("ompi_mpi_errors_return"))
        self.rank = self._ask("MPI_Comm_rank")
        self.size = self._ask("MPI_Comm_size")

    def release_workers(self, orderly: bool):
        """Tells the other ranks that rank 0 is done, and whether all ranks are going to finalize."""
        message = ctypes.c_int(orderly)
        for rank in range(1, self.size):
            self._mpi.MPI_Send(ctypes.byref(message), 1, self._int(), rank, _TAG, self._comm)

    def wait_for_release(self) -> bool:
        """Waits for rank 0 without spinning, as MPI_Barrier would; returns whether to finalize."""
        arrived = ctypes.c_int(0)
        while not arrived.value:
            self._mpi.MPI_Iprobe(0, _TAG, self._comm, ctypes.byref(arrived), None)
            time.sleep(_POLL_SECONDS)
        message = ctypes.c_int(0)
        self._mpi.MPI_Recv(ctypes.byref(message), 1, self._int(), 0, _TAG, self._comm, None)
        return bool(message.value)

    def finalize(self):
        """Leaves; blocks until all ranks leave."""
        self._mpi.MPI_Finalize()

    def _handle(self, symbol: str) -> ctypes.c_void_p:
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self._mpi, symbol)))

    def _int(self) -> ctypes.c_void_p:
        return self._handle("ompi_mpi_int")

    def _ask(self, function: str) -> int:
        answer = ctypes.c_int(-1)
        self._mpi[function](self._comm, ctypes.byref(answer))
        return answer.value
