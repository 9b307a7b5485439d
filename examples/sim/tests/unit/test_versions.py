"""The versions of the test: what their files show, and that all roles of a case pass in each."""

import os
import re
import subprocess
import sys

import perf_load
import pytest
import yaml
from conftest import ROOT
from perf_servers import listen_options
from play import NEWEST, OLDER, Job, make_case, make_checkout, path_of_test, version_of

# What a launcher looks for in the text of the test.
MARKERS = {
    "mode in ids": r"\bctx_only\b|-e2e-|\bDISAGG_BENCHMARK_MODES\b",
    "addresses": r"--report_addr\b",
    "no context aggregated": r"""\bAGGREGATED_DISAGG_YAML_MODES\s*=\s*[(\[{][^)\]}]*["']gen_only_no_context["']""",
    "no context in ids": r"""\bDISAGG_BENCHMARK_MODES\s*=\s*[(\[{][^)\]}]*["']gen_only_no_context["']""",
    "time breakdown": r"\btime_breakdown\b",
    "step time": r"\bprev_device_step_time\b",
}
SHOWN = {
    NEWEST: {"mode in ids", "addresses", "no context aggregated", "time breakdown", "step time"},
    "report-addr": {"mode in ids", "addresses", "step time"},
    "ports": {"mode in ids"},
    "oldest": set(),
}
ROLES = ("GEN_0", "CTX_0", "DISAGG_SERVER", "BENCHMARK")


@pytest.fixture
def play(tmp_path):
    """Returns a function that makes a job of a case in a checkout of a version."""
    jobs = []

    def make(version, test_id, case):
        checkout = make_checkout(tmp_path / "checkout", version)
        variable = "TRTLLM_CONFIG_FOLDER" if version == "oldest" else "DISAGG_CONFIG_FOLDER"
        jobs.append(Job(tmp_path, test_id, case, checkout, variable))
        return jobs[-1]

    yield make
    for job in jobs:
        job.kill()


@pytest.mark.parametrize("version", SHOWN)
def test_a_version_shows_what_it_knows(version):
    with open(path_of_test(version), encoding="utf-8") as file:
        text = file.read()
    assert {name for name, marker in MARKERS.items() if re.search(marker, text)} == SHOWN[version]


@pytest.mark.parametrize("version", OLDER)
def test_a_version_only_replaces_files(version):
    folder = os.path.join(ROOT, "versions", version)
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            assert os.path.exists(os.path.join(ROOT, os.path.relpath(place, folder), name)), name


@pytest.mark.parametrize("version", ["ports", "oldest"])
@pytest.mark.parametrize("command", [["tiny", "--port", "0"], ["disaggregated", "-c", "x"]])
def test_servers_that_cannot_publish_their_address_say_so(tmp_path, version, command):
    checkout = make_checkout(tmp_path / "checkout", version)
    serve = [sys.executable, os.path.join(checkout, "bin/trtllm-serve")]
    done = subprocess.run([*serve, *command, "--report_addr", "f"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert "unrecognized arguments: --report_addr f" in done.stderr


@pytest.mark.parametrize(
    "version, test_id",
    [
        (NEWEST, "disagg-e2e-gone"),
        (NEWEST, "disagg-gen_only_no_context-tiny"),
        ("report-addr", "disagg-gen_only_no_context-tiny"),
        ("report-addr", "aggr-gen_only_no_context-tiny"),
        ("ports", "disagg-tiny"),
        ("oldest", "disagg-e2e-tiny"),
    ],
)
def test_an_id_that_is_not_known_is_not_found(play, version, test_id):
    job = play(version, test_id, make_case())
    job.start("BENCHMARK", "log")
    assert job.wait("BENCHMARK") == 4
    assert re.search(rf"^ERROR: not found: .*test_e2e\[{test_id}\]$", job.text("log"), re.MULTILINE)


@pytest.mark.parametrize(
    "version, test_id, addresses, files",
    [
        (NEWEST, "disagg-e2e-time_breakdown-tiny", "hostnames-local-0", "trtllm-serve.{}.0.log"),
        ("report-addr", "disagg-e2e-tiny", "hostnames-local-0", "trtllm-serve.{}.0.log"),
        ("ports", "disagg-e2e-tiny", "hostnames-0", "trtllm-serve.{}.0.log"),
        ("oldest", "disagg-tiny", "hostnames-0", "trtllm-serve.0.{}.log"),
    ],
)
def test_all_roles_pass_in_every_version(play, version, test_id, addresses, files):
    job = play(version, test_id, make_case())
    job.start_all(ROLES)
    assert set(job.codes().values()) == {0}, job.text("BENCHMARK.log")
    assert re.search(r"Successful requests: +4\b", job.text("trtllm-benchmark.0.0.log"))
    assert job.names("trtllm-serve*") == sorted(files.format(role) for role in ROLES[:3])
    publishes = "addresses" in SHOWN[version]
    published = {f"{addresses}/{name}" for name in ("CTX_0.txt", "GEN_0.txt")}
    published |= {f"{addresses}/DISAGG_SERVER.0.addr"} if publishes else set()
    assert {str(path.relative_to(job.files)) for path in job.files.glob("hostnames*/*")} == published
    assert (yaml.safe_load(job.text("server_config.0.yaml"))["port"] == 0) == publishes


@pytest.mark.parametrize("version", ["report-addr", "ports", "oldest"])
def test_decode_alone_without_prefill_servers(play, version):
    test_id = "disagg-tiny" if version == "oldest" else "disagg-gen_only-tiny"
    job = play(version, test_id, make_case(mode="gen_only_no_context", concurrency_list="2 3"))
    variables = {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"} if version == "oldest" else {}
    job.start("GEN_0", "gen_server_0.log", **variables)
    job.start_all(ROLES[2:], **variables)
    assert job.wait("GEN_0") == 0
    (job.files / "gen_server_0.done").touch()
    assert set(job.codes().values()) == {0}, job.text("BENCHMARK.log")
    assert job.names("trtllm-benchmark*") == ["trtllm-benchmark.0.0.log"]
    client = job.text("trtllm-benchmark.0.0.log")
    # The oldest takes the largest point and all rounds, the others the first point and one round.
    assert re.search(rf"Successful requests: +{6 if version == 'oldest' else 2}\b", client)
    assert ("Average Per Iter Device Step Time (ms): " in client) == (version == "report-addr")


def test_decode_with_prefill_servers_has_no_step_time_before_addresses(play):
    job = play("ports", "disagg-gen_only-tiny", make_case())
    job.start_all(ROLES)
    assert set(job.codes().values()) == {0}, job.text("BENCHMARK.log")
    assert re.search(r"Successful requests: +2\b", job.text("trtllm-benchmark.0.0.log"))
    assert "Step Time" not in job.text("trtllm-benchmark.0.0.log")


def test_the_oldest_coordinator_must_be_told_that_it_has_no_prefill_servers(play):
    job = play("oldest", "disagg-tiny", make_case(mode="gen_only"))
    job.start_all(["GEN_0", "DISAGG_SERVER"])
    assert job.wait("DISAGG_SERVER") == 1
    assert "only TRTLLM_DISAGG_BENCHMARK_GEN_ONLY=1 allows" in job.text("DISAGG_SERVER.log")


@pytest.mark.parametrize(
    "version, frontends, chooses",
    [(NEWEST, 1, True), (NEWEST, 2, False), ("report-addr", 2, False), ("ports", 1, False)],
)
def test_who_chooses_the_port_of_a_worker(tmp_path, version, frontends, chooses):
    address = tmp_path / "GEN_0.txt"
    engine = perf_load.engine({"num_serve_frontends": frontends}, "tiny", {})
    options = listen_options(version_of(version), engine, "host", str(address))
    if chooses:
        assert options == ["--host", "host", "--port", "0", "--report_addr", str(address)]
        assert not address.exists()
    else:
        assert address.read_text() == f"host:{options[3]}"
        assert options[:3] == ["--host", "host", "--port"]
        assert len(options) == 4


def test_nothing_is_measured_where_only_accuracy_is_asked_for(play):
    accuracy = {"enable_accuracy_test": True, "tasks": {"gsm8k": {}, "mmlu": {}}}
    job = play(NEWEST, "disagg-e2e-tiny", make_case(only_run_accuracy=True) | {"accuracy": accuracy})
    job.start_all(ROLES)
    assert set(job.codes().values()) == {0}, job.text("BENCHMARK.log")
    assert job.names("accuracy_eval_*") == ["accuracy_eval_gsm8k.0.log", "accuracy_eval_mmlu.0.log"]
    assert job.text("accuracy_eval_gsm8k.0.log").count("\n") == 1
    assert job.names("trtllm-benchmark*") == []
