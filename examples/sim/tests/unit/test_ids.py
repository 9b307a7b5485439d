"""Test ids: which forms a version of the test knows, and which config they name."""

import pytest
from perf_ids import CaseId, config_path, is_known, parse_test_id
from play import NEWEST, OLDER, version_of

BASE = "Qwen3-235B-A22B-FP4_1k1k_ctx1_gen4_tep8_bs32_eplb0_mtp0_ccb-NIXL"
VERSIONS = (NEWEST, *OLDER)


@pytest.mark.parametrize("text, mode", [("disagg-e2e-", "e2e"), ("disagg_upload-gen_only-", "gen_only")])
@pytest.mark.parametrize("version", [NEWEST, "report-addr", "ports"])
def test_an_id_is_split_on_the_first_two_dashes_only(version, text, mode):
    assert parse_test_id(text + BASE, version_of(version)) == CaseId(mode, BASE)


@pytest.mark.parametrize("prefix", ["disagg", "disagg_upload"])
def test_the_oldest_ids_have_no_mode(prefix):
    assert parse_test_id(f"{prefix}-{BASE}", version_of("oldest")) == CaseId("", BASE)


@pytest.mark.parametrize(
    "text, case_id, versions",
    [
        (f"disagg-e2e-time_breakdown-{BASE}", CaseId("e2e", BASE), [NEWEST]),
        (f"disagg_upload-gen_only-time_breakdown-{BASE}", CaseId("gen_only", BASE), [NEWEST]),
        (f"aggr-ctx_only-time_breakdown-{BASE}", CaseId("ctx_only", BASE, True), [NEWEST]),
        (f"aggr-ctx_only-{BASE}", CaseId("ctx_only", BASE, True), [NEWEST, "report-addr"]),
        (f"aggr_upload-gen_only_no_context-{BASE}", CaseId("gen_only_no_context", BASE, True), [NEWEST]),
        ("aggr-r1_2_nodes", CaseId("", "r1_2_nodes", True), [NEWEST, "report-addr"]),
        ("aggr_upload-r1_2_nodes-dep8-1k1k", CaseId("", "r1_2_nodes", True, "dep8-1k1k"), [NEWEST, "report-addr"]),
    ],
)
def test_ids_that_not_every_version_knows(text, case_id, versions):
    assert [version for version in VERSIONS if parse_test_id(text, version_of(version)) == case_id] == versions


@pytest.mark.parametrize("text", ["", "disagg", "disagg-e2e", "disagg-e2e-", f"disagg-{BASE}", "aggr", "aggr-", "x-y"])
def test_refuses_other_ids(text):
    assert parse_test_id(text, version_of(NEWEST)) is None


@pytest.mark.parametrize("text", ["aggr-ctx_only-tiny", "aggr-tiny", "disagg", "disagg-"])
@pytest.mark.parametrize("version", ["ports", "oldest"])
def test_refuses_what_came_later(version, text):
    assert parse_test_id(text, version_of(version)) is None


@pytest.mark.parametrize(
    "text, version, variable, folder",
    [
        ("disagg-e2e-x", NEWEST, "DISAGG_CONFIG_FOLDER", "tests/scripts/perf-sanity/disaggregated"),
        ("aggr-ctx_only-x", NEWEST, "DISAGG_CONFIG_FOLDER", "tests/scripts/perf-sanity/disaggregated"),
        ("aggr-x-server", NEWEST, "AGG_CONFIG_FOLDER", "tests/scripts/perf-sanity/aggregated"),
        ("disagg-e2e-x", "ports", "DISAGG_CONFIG_FOLDER", "tests/scripts/perf-sanity/disaggregated"),
        (
            "disagg-x",
            "oldest",
            "TRTLLM_CONFIG_FOLDER",
            "tests/integration/defs/perf/disagg/test_configs/disagg/perf",
        ),
    ],
)
def test_where_configs_are(text, version, variable, folder):
    version = version_of(version)
    case_id = parse_test_id(text, version)
    assert config_path(case_id, version, "/checkout", {}) == f"/checkout/{folder}/x.yaml"
    assert config_path(case_id, version, "/checkout", {variable: "/own"}) == "/own/x.yaml"


def test_an_id_is_known_when_what_it_names_is_there(tmp_path):
    (tmp_path / "tiny.yaml").write_text("server_configs: [{name: one-two}]")
    environ = {"DISAGG_CONFIG_FOLDER": str(tmp_path), "AGG_CONFIG_FOLDER": str(tmp_path)}
    ids = ["disagg-e2e-tiny", "disagg-e2e-gone", "aggr-tiny", "aggr-tiny-one-two", "aggr-tiny-two", "tiny"]
    known = [text for text in ids if is_known(text, version_of(NEWEST), "/checkout", environ)]
    assert known == ["disagg-e2e-tiny", "aggr-tiny", "aggr-tiny-one-two"]
