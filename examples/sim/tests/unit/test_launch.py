"""The rank launcher, run as a program."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from tensorrt_llm.sim import ranks

LAUNCH = [sys.executable, os.path.join(ROOT, "bin/trtllm-llmapi-launch")]


def launch(*command, **environment):
    clean = {"PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [*LAUNCH, *command], env=clean | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, (0, 1)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "OMPI_COMM_WORLD_RANK": "1"}, (3, 8)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, (1, 4)),
        ({"SLURM_PROCID": "3"}, (0, 1)),
    ],
)
def test_rank_and_size(environment, expected):
    assert ranks.rank_and_size(environment) == expected


def test_rank_0_strips_the_environment():
    dirty = {"OMPI_X": "1", "PMIX_X": "1", "SLURM_JOB_ID": "1", "UCX_TLS": "tcp", "KEPT": "1"}
    process = launch("env", **dirty)
    output = process.communicate(timeout=10)[0]
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert not names & (dirty.keys() - {"KEPT"})
    assert {"KEPT", "SIM_RANK", "TLLM_SPAWN_PROXY_PROCESS", "TLLM_SPAWN_PROXY_PROCESS_IPC_ADDR"} <= names
    assert "tllm_mpi_size=1" in output
    assert process.returncode == 0


def test_ucx_survives_when_asked():
    process = launch("env", UCX_TLS="tcp", TRTLLM_PRESERVE_UCX_ENV="1")
    assert "UCX_TLS=tcp" in process.communicate(timeout=10)[0]


@pytest.mark.parametrize("script, code", [("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)])
def test_rank_0_returns_the_code_of_its_command(script, code):
    process = launch("sh", "-c", script)
    assert f"Rank0 Task exit code: {code}" in process.communicate(timeout=10)[0]
    assert process.returncode == code


def test_rank_0_stays_when_asked_and_its_command_has_failed():
    asked = {"SIM_FAULTS": "GEN_0:launcher-stays", "DISAGG_SERVING_TYPE": "GEN_0"}
    good = launch("true", **asked)
    assert good.communicate(timeout=10)[0].count("Rank0 Task exit code: 0") == 1
    failed = launch("sh", "-c", "exit 7", **asked)
    assert "fault armed" in failed.stdout.readline()
    assert failed.stdout.readline() == "\033[33mRank0 Task exit code: 7\033[0m\n"
    with pytest.raises(subprocess.TimeoutExpired):
        failed.wait(timeout=0.5)
    failed.terminate()
    failed.communicate(timeout=10)
    assert failed.returncode == -signal.SIGTERM


def test_a_command_that_cannot_run():
    for command, code in (("/no/such/program", 127), ("/etc/passwd", 126)):
        process = launch(command)
        assert "cannot run" in process.communicate(timeout=10)[0]
        assert process.returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_rank_0_forwards_signals_and_waits(number):
    process = launch("sh", "-c", "trap 'sleep 0.2; echo bye; exit 5' TERM INT; echo up; while :; do sleep 0.01; done")
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    assert process.communicate(timeout=10)[0].startswith("bye\n")
    assert process.returncode == 5


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_other_ranks_wait_for_a_signal(number, code):
    process = launch("never-run", SLURM_PROCID="1", SLURM_NTASKS="2")
    assert "rank 1 of 2" in process.stdout.readline()
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == code
