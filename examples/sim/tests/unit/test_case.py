"""Test ids, and what a config file means for each role."""

import pytest
from perf_case import Case, CaseId, parse_concurrencies, parse_test_id

BASE = "Qwen3-235B-A22B-FP4_1k1k_ctx1_gen4_tep8_bs32_eplb0_mtp0_ccb-NIXL"


def make_case(mode="e2e", environ=None, **changes):
    config = {
        "metadata": {"model_name": "tiny"},
        "benchmark": {"concurrency_list": "4 8", "multi_round": 3, "input_length": 10, "output_length": 5},
        "hardware": {"num_ctx_servers": 2, "num_gen_servers": 1},
        "worker_config": {"gen": {}, "ctx": {}},
    }
    return Case(CaseId(mode, "name"), config | changes, "/checkout", environ or {})


@pytest.mark.parametrize("mode", ["e2e", "gen_only", "gen_only_no_context"])
@pytest.mark.parametrize("prefix", ["disagg", "disagg_upload"])
def test_an_id_is_split_on_the_first_two_dashes_only(prefix, mode):
    assert parse_test_id(f"{prefix}-{mode}-{BASE}") == (mode, BASE)


def test_the_oldest_ids_have_no_mode():
    assert parse_test_id(f"disagg_upload-{BASE}") == (None, BASE)


@pytest.mark.parametrize("text", ["", "disagg", "disagg-e2e", "aggr-ctx_only-x", "aggr_upload-x-y"])
def test_refuses_other_ids(text):
    with pytest.raises(ValueError):
        parse_test_id(text)


@pytest.mark.parametrize(
    "in_id, in_yaml, mode, num_ctx, points, iterations",
    [
        ("e2e", "gen_only", "e2e", 2, [4, 8], 3),
        ("gen_only", "e2e", "gen_only", 2, [4], 1),
        ("gen_only", "gen_only_no_context", "gen_only_no_context", 0, [4], 1),
        ("gen_only_no_context", "e2e", "gen_only_no_context", 0, [4], 1),
        (None, "gen_only", "gen_only", 2, [4], 1),
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
    with pytest.raises(ValueError):
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


def test_modes_add_to_the_environment():
    assert make_case("gen_only").environment("gen")["TLLM_BENCHMARK_REQ_QUEUES_SIZE"] == "4"
    assert make_case("gen_only").environment("ctx") == {}
    for kind in ("gen", "server"):
        assert make_case("gen_only_no_context").environment(kind) == {"TRTLLM_DISAGG_BENCHMARK_GEN_ONLY": "1"}


def test_worker_config_drops_the_harness_keys_and_completes_paths():
    gen = {
        "name": "dropped",
        "sim_tpot_ms": 2,
        "speculative_config": {"speculative_model": "eagle"},
        "moe_config": {"load_balancer": "eplb.yaml"},
    }
    case = make_case(environ={"LLM_MODELS_ROOT": "/models"}, worker_config={"gen": gen, "ctx": {}})
    assert case.worker_config("gen", "key") == {
        "sim_tpot_ms": 2,
        "internal_request_auth_key": "key",
        "speculative_config": {"speculative_model": "/models/eagle"},
        "moe_config": {"load_balancer": "/checkout/eplb.yaml"},
    }


def test_coordinator_config_counts_what_the_case_says():
    case = make_case(router_config={"type": "conversation"}, server_config_extra={"tool_parser": "x"})
    config = case.coordinator_config("host", "key", ["a:1"], ["b:2"])
    assert config["context_servers"] == {"num_instances": 2, "urls": ["a:1"], "router": {"type": "conversation"}}
    assert config["tool_parser"] == "x"
