"""Who this process is: its role and its rank within that role."""

from __future__ import annotations

import os

# trtllm-llmapi-launch strips SLURM_* and the like from what it runs on rank 0, so it passes the rank on here.
RANK_VARIABLE = "SIM_RANK"

_SOURCES = (
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
)


def rank_and_size(environ=os.environ) -> tuple[int, int]:
    """Returns rank and world size from the first launcher that left both, else 0 of 1."""
    for rank, size in _SOURCES:
        if environ.get(rank, "").isdigit() and environ.get(size, "").isdigit():
            return int(environ[rank]), int(environ[size])
    return 0, 1


def role(environ=os.environ) -> str:
    """Returns the role this process plays, or "" outside of a job."""
    return environ.get("DISAGG_SERVING_TYPE", "")


def rank(environ=os.environ) -> int:
    """Returns this process's rank within its role."""
    if environ.get(RANK_VARIABLE, "").isdigit():
        return int(environ[RANK_VARIABLE])
    return rank_and_size(environ)[0]
