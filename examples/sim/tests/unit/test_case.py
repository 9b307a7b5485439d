"""What a config file means for each role."""

import pytest
from perf_case import Case, parse_concurrencies
from perf_ids import CaseId
from perf_load import model_path
from play import version_of


def make_case(mode="e2e", environ=None, version="newest", aggregated=False, **changes):
    config = {
        "metadata": {"model_name": "tiny"},
        "benchmark": {"concurrency_list": "4 8", "multi_round": 3, "input_length": 10, "output_length": 5},
        "hardware": {"num_ctx_servers": 2, "num_gen_servers": 1},
        "worker_config": {"gen": {"sim_tpot_ms": 2}, "ctx": {"cache_transceiver_config": {}}},
    }
    return Case(CaseId(mode, "name", aggregated), config | changes, version_of(version), environ or {})


def without_context(**changes):
    return make_case("gen_only", benchmark={"mode": "gen_only_no_context", "concurrency_list": 1}, **changes)


@pytest.mark.parametrize(
    "in_id, in_yaml, mode, num_ctx, points, iterations",
    [
        ("e2e", "gen_only", "e2e", 2, [4, 8], 3),
        ("gen_only", "e2e", "gen_only", 2, [4], 1),
        ("gen_only", "gen_only_no_context", "gen_only_no_context", 0, [4], 1),
    ],
)
@pytest.mark.parametrize("version", ["newest", "report-addr", "ports"])
def test_the_mode_decides(version, in_id, in_yaml, mode, num_ctx, points, iterations):
    benchmark = {"mode": in_yaml, "concurrency_list": [4, 8], "multi_round": 3}
    case = make_case(in_id, benchmark=benchmark, version=version)
    assert (case.mode, case.num_ctx, case.concurrencies, case.iterations) == (mode, num_ctx, points, iterations)


@pytest.mark.parametrize(
    "in_yaml, num_ctx, points", [("e2e", 2, [4, 8]), ("gen_only", 0, [8]), ("gen_only_no_context", 0, [8])]
)
def test_in_the_oldest_version_the_config_decides(in_yaml, num_ctx, points):
    benchmark = {"mode": in_yaml, "concurrency_list": [4, 8], "multi_round": 3}
    case = make_case("", benchmark=benchmark, version="oldest")
    assert (case.mode, case.num_ctx, case.concurrencies, case.iterations) == (in_yaml, num_ctx, points, 3)
    assert case.environment("server") == {}, "whoever starts the coordinator says that it has no context servers"


@pytest.mark.parametrize(
    "mode, servers, prompts, output_length",
    [("ctx_only", (1, 0), [12, 24], 1), ("gen_only_no_context", (0, 1), [4], 5)],
)
def test_the_mode_of_an_aggregated_test_decides(mode, servers, prompts, output_length):
    case = make_case(mode, aggregated=True)
    assert (case.num_ctx, case.num_gen) == servers
    assert [load.concurrency * load.rounds for load in case.loads()] == prompts
    assert {load.output_length for load in case.loads()} == {output_length}


def test_a_context_server_alone_hands_nothing_over():
    assert make_case().engine("ctx").config == {"cache_transceiver_config": {}}
    assert make_case("ctx_only", aggregated=True).engine("ctx").config == {}


def test_lengths_are_1024_unless_the_benchmark_says_otherwise():
    benchmark = {"concurrency_list": 1}
    [load] = make_case(benchmark=benchmark, sequence={"input_length": 5, "output_length": 5}).loads()
    assert (load.input_length, load.output_length) == (1024, 1024)


@pytest.mark.parametrize(
    "tasks, enabled, only, names, runs",
    [
        ({"gsm8k": {}, "mmlu": {}}, True, False, ["gsm8k", "mmlu"], 1),
        ("gsm8k", True, True, ["gsm8k"], 0),
        ({"gsm8k": {}}, False, True, [], 1),
    ],
)
def test_accuracy(tasks, enabled, only, names, runs):
    benchmark = {"concurrency_list": 1, "only_run_accuracy": only}
    case = make_case(benchmark=benchmark, accuracy={"enable_accuracy_test": enabled, "tasks": tasks})
    assert (case.accuracy_tasks, len(case.loads())) == (names, runs)


@pytest.mark.parametrize("value, numbers", [(8, [8]), ("2048", [2048]), ("1 2 4", [1, 2, 4]), ([1, 2], [1, 2])])
def test_concurrencies(value, numbers):
    assert parse_concurrencies(value) == numbers


@pytest.mark.parametrize("value", ["", [], "0", "1 -2"])
def test_refuses_concurrencies(value):
    with pytest.raises(ValueError, match="positive"):
        parse_concurrencies(value)


def test_environment_is_split_as_a_shell_would():
    section = {
        "worker_env_var": 'A=1 "W=ignore::Warning:x y"',
        "ctx_worker_env_var": "A=2",
        "server_env_var": "S=1=2",
    }
    case = make_case(environment=section)
    assert case.environment("ctx") == {"A": "2", "W": "ignore::Warning:x y"}
    assert case.environment("gen") == {"A": "1", "W": "ignore::Warning:x y"}
    assert case.environment("server") == {"S": "1=2"}
    assert case.environment("client") == {}


def test_without_context_servers_decode_is_told():
    case = without_context()
    for kind in ("gen", "server"):
        assert case.environment(kind) == {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"}
    assert make_case("gen_only_no_context", aggregated=True).environment("gen") == {}, "who starts the test says it"


def test_configs_of_the_servers():
    case = make_case()
    assert case.engine("gen", "key").config == {"sim_tpot_ms": 2, "internal_request_auth_key": "key"}
    config = case.coordinator_config("host", 0, "key", ["a:1"], ["b:2"])
    assert config["context_servers"] == {"num_instances": 2, "urls": ["a:1"]}, "the count is the case's"


def test_what_the_test_reads_itself_does_not_reach_the_engine():
    engine = make_case(worker_config={"gen": {"max_batch_size": 2, "backend": "_autodeploy", "gpus": 4}}).engine("gen")
    assert (engine.backend, engine.config) == ("_autodeploy", {"max_batch_size": 2})


def test_the_model_is_looked_for_below_the_models_root(tmp_path):
    assert make_case().model == "tiny"
    assert make_case(environ={"LLM_MODELS_ROOT": str(tmp_path)}).model == "tiny"
    (tmp_path / "tiny").mkdir()
    assert make_case(environ={"LLM_MODELS_ROOT": str(tmp_path)}).model == str(tmp_path / "tiny")


def test_a_models_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="LLM_MODELS_ROOT is .*gone, which does not exist"):
        make_case(environ={"LLM_MODELS_ROOT": str(tmp_path / "gone")})


def test_a_listed_model_is_in_its_folder_and_needs_a_models_root(tmp_path):
    environ = {"LLM_MODELS_ROOT": str(tmp_path)}
    assert model_path("sim_llama_fp8", environ) == "sim_llama_fp8"
    (tmp_path / "llama/fp8").mkdir(parents=True)
    assert model_path("sim_llama_fp8", environ) == str(tmp_path / "llama/fp8")
    with pytest.raises(AssertionError, match="LLM_MODELS_ROOT is not set: sim_llama_fp8 is"):
        model_path("sim_llama_fp8", {})
