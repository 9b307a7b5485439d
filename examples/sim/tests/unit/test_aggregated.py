"""The aggregated path: one process that starts servers and clients."""

import re

import perf_aggregated
import pytest
from perf_aggregated import config_entries
from perf_files import CaseFiles
from play import NEWEST, Job, make_case, make_checkout, version_of

CLIENT = {"name": "client", "concurrency": 2, "iterations": 2, "isl": 8, "osl": 4, "backend": "openai"}


def make_servers(*servers):
    """Returns an aggregated config."""
    return {
        "metadata": {"model_name": "tiny"},
        "hardware": {"gpus_per_node": 4},
        "server_configs": [{"sim_startup_seconds": 0.05, "client_configs": [CLIENT]} | server for server in servers],
    }


@pytest.fixture
def play(tmp_path):
    """Returns a function that plays an aggregated test alone and returns its job and its exit code."""
    jobs = []

    def run(test_id, config, version=NEWEST, role="GEN_0", launcher=False, log="gen_server_0.log", **environment):
        checkout = make_checkout(tmp_path / "checkout", version)
        job = Job(tmp_path, test_id, config, checkout)
        jobs.append(job)
        job.start(role, log, launcher, AGG_CONFIG_FOLDER=str(tmp_path), **environment)
        return job, job.wait(role)

    yield run
    for job in jobs:
        job.kill()


@pytest.mark.parametrize("version", [NEWEST, "report-addr"])
def test_prefill_alone(play, version):
    config = make_case(concurrency_list="2 3") | {"accuracy": {"enable_accuracy_test": True, "tasks": "gsm8k"}}
    job, code = play("aggr-ctx_only-tiny", config, version, "CTX_0", log="ctx_server_0.log")
    assert code == 0, job.text("ctx_server_0.log")
    for index, requests in enumerate([4, 6]):
        client = job.text(f"trtllm-benchmark.0.{index}.log")
        assert re.search(rf"Total generated tokens: +{requests}\b", client)
        assert "Initial test run completed." in client
    assert job.names("*.log") == [
        "accuracy_eval_gsm8k.0.log",
        "ctx_server_0.log",
        "trtllm-benchmark.0.0.log",
        "trtllm-benchmark.0.1.log",
        "trtllm-serve.0.log",
    ]
    assert re.fullmatch(r"localhost:\d+", job.text("trtllm-serve.0.addr"))
    assert "cache_transceiver_config" not in job.text("extra-llm-api-config.aggr.tiny.yml")
    assert "server stopping" in job.text("trtllm-serve.0.log")


@pytest.mark.parametrize("launcher", [False, True])
def test_decode_alone(play, launcher):
    config = make_case(concurrency_list="2 3", mode="e2e")
    variables = {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1", "SIM_FAULTS": "GEN_0:upstream-logs" if launcher else ""}
    job, code = play("aggr-gen_only_no_context-tiny", config, launcher=launcher, **variables)
    assert code == 0, job.text("gen_server_0.log")
    client = job.text("trtllm-benchmark.0.0.log")
    assert re.search(r"Successful requests: +2\b", client)
    assert "Average Per Iter Device Step Time (ms): " in client
    assert "Initial test run" not in client
    assert job.names("trtllm-benchmark*") == ["trtllm-benchmark.0.0.log"]
    assert job.names("*.addr") == ["GEN_0.0.addr", "trtllm-serve.0.addr"]
    assert "disaggregated server stopping" in job.text("trtllm-serve.0.log")
    assert "tiny server stopping" in job.text("trtllm-serve.GEN_0.0.log")
    assert ("iter = " in job.text("trtllm-serve.GEN_0.0.log")) == (not launcher)


def test_decode_alone_must_be_told_of(play):
    job, code = play("aggr-gen_only_no_context-tiny", make_case())
    assert code == 1
    assert "only TRTLLM_DISAGG_BENCHMARK_GEN_ONLY=1 allows" in job.text("gen_server_0.log")


def test_decode_alone_needs_the_output_of_its_step(monkeypatch, tmp_path):
    monkeypatch.setattr(perf_aggregated, "_STEP_LOG_SECONDS", 0)
    version = version_of(NEWEST)
    files = CaseFiles(str(tmp_path), "id", version)
    with pytest.raises(AssertionError, match="no line with prev_device_step_time in .*gen_server_0.log"):
        perf_aggregated._add_step_time(files, version.step_time_key)


def test_decode_alone_has_one_front_end(play):
    config = make_case()
    config["worker_config"]["gen"] = {"num_serve_frontends": 2}
    job, code = play("aggr-gen_only_no_context-tiny", config)
    assert code == 1
    assert "gen_only_no_context: num_serve_frontends must be 1" in job.text("gen_server_0.log")


def test_the_semianalysis_client_is_judged_by_what_succeeded(play):
    faults = {"SIM_FAULTS": "BENCHMARK:failed-requests=5"}
    job, code = play("aggr-ctx_only-tiny", make_case(use_nv_sa_benchmark=True), role="CTX_0", log="step.log", **faults)
    assert code == 1
    client = job.text("trtllm-benchmark.0.0.log")
    assert re.search(r"^Namespace\(.*num_prompts=4\b", client, re.MULTILINE)
    assert "Starting initial single prompt test run...\nInitial test run completed. Starting main" in client
    assert re.search(r"Successful requests: +0\b", client)
    assert not re.search("Total requests|Failed requests|FAILED|User throughput", client)
    assert "trtllm-benchmark.0.0.log: 4 failed requests" in job.text("step.log")


def test_accuracy_alone(play):
    config = make_case(only_run_accuracy=True) | {"accuracy": {"enable_accuracy_test": True, "tasks": {"gsm8k": {}}}}
    variables = {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"}
    job, code = play("aggr-gen_only_no_context-tiny", config, **variables)
    assert code == 0, job.text("gen_server_0.log")
    assert job.names("accuracy_eval*") == ["accuracy_eval_gsm8k.0.log"]
    assert job.names("trtllm-benchmark*") == []


def test_the_servers_of_a_config_take_turns(play):
    sa = CLIENT | {"iterations": 3, "use_nv_sa_benchmark": True}
    two = {"name": "two", "num_serve_frontends": 2, "gpus": 4, "client_configs": [CLIENT, sa]}
    faults = {"SIM_FAULTS": "GEN_0:upstream-logs"}
    config = make_servers({"name": "one", "print_iter_log": True}, two | {"print_iter_log": True})
    job, code = play("aggr-tiny", config, launcher=True, log="step.log", **faults)
    assert code == 0, job.text("step.log")
    assert job.names("trtllm-*.log") == [
        "trtllm-benchmark.0.0.log",
        "trtllm-benchmark.1.0.log",
        "trtllm-benchmark.1.1.log",
        "trtllm-serve.0.log",
        "trtllm-serve.1.log",
    ]
    assert re.search(r"Successful requests: +6\b", job.text("trtllm-benchmark.1.1.log"))
    assert "Failed requests" not in job.text("trtllm-benchmark.1.1.log")
    port = job.text("trtllm-serve.1.addr").rpartition(":")[2]
    assert f"--port {port}" in job.text("step.log")
    assert len(re.findall(r"iter = 1, global_rank = 0", job.text("step.log"))) == 2, "those of both servers"


def test_a_server_may_be_named(play):
    job, code = play("aggr-tiny-two-2", make_servers({"name": "one"}, {"name": "two-2"}), role="", log="step.log")
    assert code == 0, job.text("step.log")
    assert job.names("extra-llm-api-config*") == ["extra-llm-api-config.aggr.two-2.yml"]
    assert job.names("trtllm-benchmark*") == ["trtllm-benchmark.0.0.log"]


@pytest.mark.parametrize(
    "faults, said",
    [
        ("GEN_0:crash=3", r"the server of trtllm-serve.0.log ended with code 3:(.|\n)*sim fault"),
        ("BENCHMARK:failed-requests=1", "trtllm-benchmark.0.0.log: 1 failed requests"),
    ],
)
def test_children_have_the_faults_of_their_roles(play, faults, said):
    job, code = play("aggr-tiny", make_servers({"name": "one"}), role="", log="step.log", SIM_FAULTS=faults)
    assert code == 1
    assert re.search(said, job.text("step.log"))


def test_what_a_config_says_of_a_server_and_its_clients():
    client = CLIENT | {"client_env_var": "C=1", "iterations": 5}
    server = {"name": "one", "model_name": "other", "server_env_var": "S=1 T=2", "backend": "_autodeploy"}
    server |= {"max_batch_size": 4, "client_configs": [client, {"concurrency": 8}]}
    config = make_servers(server, {"name": "two"})
    entries = config_entries(config, "", {})
    assert [(entry.name, entry.engine.model) for entry in entries] == [("one", "other"), ("two", "tiny")]
    assert [entry.name for entry in config_entries(config, "two", {})] == ["two"]
    engine = entries[0].engine
    assert (engine.backend, engine.environment) == ("_autodeploy", {"S": "1", "T": "2"})
    assert engine.config == {"sim_startup_seconds": 0.05, "max_batch_size": 4}
    first, second = entries[0].loads
    assert (first.rounds, first.input_length, first.output_length, first.environment) == (5, 8, 4, {"C": "1"})
    assert (second.rounds, second.input_length, second.output_length) == (1, 1024, 1024)
