"""Test ids, and what a config file means for each role."""

import pytest
from perf_case import Case, CaseId, parse_concurrencies, parse_test_id

BASE = "Qwen3-235B-A22B-FP4_1k1k_ctx1_gen4_tep8_bs32_eplb0_mtp0_ccb-NIXL"


def make_case(mode="e2e", environ=None, **changes):
    config = {
        "metadata": {"model_name": "tiny"},
        "benchmark": {"concurrency_list": "4 8", "multi_round": 3, "input_length": 10, "output_length": 5},
        "hardware": {"num_ctx_servers": 2, "num_gen_servers": 1},
        "worker_config": {"gen": {"sim_tpot_ms": 2}, "ctx": {}},
    }
    return Case(CaseId(mode, "name"), config | changes, environ or {})


@pytest.mark.parametrize("mode", ["e2e", "gen_only", "gen_only_no_context"])
@pytest.mark.parametrize("prefix", ["disagg", "disagg_upload"])
def test_an_id_is_split_on_the_first_two_dashes_only(prefix, mode):
    assert parse_test_id(f"{prefix}-{mode}-{BASE}") == (mode, BASE)


@pytest.mark.parametrize("text", ["", "disagg", "disagg-e2e", f"disagg-{BASE}", "aggr-ctx_only-x", "aggr_upload-x-y"])
def test_refuses_other_ids(text):
    with pytest.raises(ValueError, match="is not disagg"):
        parse_test_id(text)


@pytest.mark.parametrize(
    "in_id, in_yaml, mode, num_ctx, points, iterations",
    [
        ("e2e", "gen_only", "e2e", 2, [4, 8], 3),
        ("gen_only", "e2e", "gen_only", 2, [4], 1),
        ("gen_only", "gen_only_no_context", "gen_only_no_context", 0, [4], 1),
        ("gen_only_no_context", "e2e", "gen_only_no_context", 0, [4], 1),
    ],
)
def test_the_mode_decides(in_id, in_yaml, mode, num_ctx, points, iterations):
    benchmark = {"mode": in_yaml, "concurrency_list": [4, 8], "multi_round": 3, "input_length": 1, "output_length": 1}
    case = make_case(in_id, benchmark=benchmark)
    assert (case.mode, case.num_ctx, case.concurrencies, case.iterations) == (mode, num_ctx, points, iterations)


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
    case = make_case("gen_only_no_context")
    for kind in ("gen", "server"):
        assert case.environment(kind) == {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"}


def test_configs_of_the_servers():
    case = make_case()
    assert case.worker_config("gen", "key") == {"sim_tpot_ms": 2, "internal_request_auth_key": "key"}
    config = case.coordinator_config("host", "key", ["a:1"], ["b:2"])
    assert config["context_servers"] == {"num_instances": 2, "urls": ["a:1"]}, "the count is the case's"


def test_the_model_is_looked_for_below_the_models_root(tmp_path):
    assert make_case().model == "tiny"
    assert make_case(environ={"LLM_MODELS_ROOT": str(tmp_path)}).model == "tiny"
    (tmp_path / "tiny").mkdir()
    assert make_case(environ={"LLM_MODELS_ROOT": str(tmp_path)}).model == str(tmp_path / "tiny")


def test_a_models_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="LLM_MODELS_ROOT is .*gone, which does not exist"):
        make_case(environ={"LLM_MODELS_ROOT": str(tmp_path / "gone")})
