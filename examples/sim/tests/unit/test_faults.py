"""The grammar of SIM_FAULTS, and which process a fault belongs to."""

import pytest

from tensorrt_llm.sim import faults
from tensorrt_llm.sim.faults import Fault


@pytest.mark.parametrize(
    "text, fault",
    [
        ("GEN_0:crash", Fault("GEN_0", "0", "crash", None, 0)),
        ("CTX_12.3:crash=7@2.5", Fault("CTX_12", "3", "crash", 7, 2.5)),
        ("GEN_*.*:slow-stop=1.5", Fault("GEN_*", "*", "slow-stop", 1.5, 0)),
        ("*:kill@1", Fault("*", "0", "kill", None, 1)),
        ("BENCHMARK:oom=64", Fault("BENCHMARK", "0", "oom", 64, 0)),
    ],
)
def test_parses_an_entry(text, fault):
    assert faults.parse(text) == [fault]


def test_parses_several_entries():
    assert [f.kind for f in faults.parse(" GEN_0:hang ;; CTX_0:unready@1; ")] == ["hang", "unready"]
    assert faults.parse("") == []


@pytest.mark.parametrize(
    "text, reason",
    [
        ("GEN_0", "is not ROLE"),
        ("GEN0:hang", "is not a role"),
        ("DISAGG_*:hang", "is not a role"),
        ("GEN_0.:hang", "is not a rank"),
        ("GEN_0:explode", "unknown kind"),
        ("GEN_0:hang=1", "takes no argument"),
        ("GEN_0:orphans", "needs =ARG"),
        ("GEN_0:orphans=many", "is not a number"),
        ("GEN_0:hang@soon", "is not a number"),
        ("GEN_0:hang@-1", "out of range"),
        ("GEN_0:hang;nonsense", "nonsense"),
        ("BENCHMARK:hang", "means nothing for BENCHMARK"),
        ("GEN_0.1:stall", "means nothing for GEN_0.1"),
        ("DISAGG_SERVER:launcher-stays", "means nothing"),
    ],
)
def test_names_what_is_malformed(text, reason):
    with pytest.raises(faults.FaultError, match=reason):
        faults.parse(text)


def test_malformed_faults_end_the_process_with_code_2(capsys):
    with pytest.raises(SystemExit) as end:
        faults.load(faults.TEST, {"SIM_FAULTS": "nonsense"})
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "environment, mine",
    [
        ({"DISAGG_SERVING_TYPE": "GEN_1"}, True),
        ({"DISAGG_SERVING_TYPE": "GEN_1", "SIM_RANK": "0", "SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, True),
        ({"DISAGG_SERVING_TYPE": "GEN_1", "SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, False),
        ({"DISAGG_SERVING_TYPE": "CTX_1"}, False),
        ({}, False),
    ],
)
def test_a_fault_belongs_to_one_role_and_rank(environment, mine):
    assert faults.load(faults.SERVER, {"SIM_FAULTS": "GEN_*:hang"} | environment).active("hang") == mine


@pytest.mark.parametrize("place, mine", [(faults.TEST, True), (faults.SERVER, False), (faults.LAUNCHER, False)])
def test_a_fault_acts_in_the_process_that_it_is_for(place, mine):
    environment = {"SIM_FAULTS": "GEN_0:slow-poll", "DISAGG_SERVING_TYPE": "GEN_0"}
    assert faults.load(place, environment).active("slow-poll") == mine


def test_a_fault_waits_for_its_time():
    assert not faults.load(faults.SERVER, {"SIM_FAULTS": "*:hang@3600"}).active("hang")


def test_only_the_first_requests_fail():
    own = faults.load(faults.CLIENT, {"SIM_FAULTS": "*:failed-requests=2"})
    assert [own.take_failed_request() for _ in range(4)] == [True, True, False, False]
