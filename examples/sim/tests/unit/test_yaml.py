"""The YAML subset, on the shapes that real perf-sanity files have."""

import pytest

from tensorrt_llm.sim import yaml_reader, yaml_writer

CASE = r"""
# A comment with a `key: value` in it
metadata:
  model_name: deepseek_r1
  supported_gpus:
  - GB200   # same indentation as the key above
  - GB300
  # comment between keys
  config_index: -1
slurm:
  job_time: 02:00:00
  account: <account>
  extra_args: "--gres=gpu:4"
  numa_bind: true
benchmark:
  benchmark_ratio: 0.8
  concurrency_list: 1 2 4 8
  quoted_list: '2048'
environment:
  trtllm_repo: ''
  plain: A=1 "PYTHONWARNINGS=ignore::DeprecationWarning:cutlass.cute.core" B=2
  over_lines: A=1
    B=2 C=3
  folded: >-
    A=1GiB B=2
    C=3
  literal: |
    one
      two
worker_config:
  gen:
    cuda_graph_config:
      batch_sizes: [1, 2, 4,
                    8]
    load_balancer: {num_slots: 288, layer_updates_per_iter: 1}
    speculative_config: &id001
      decoding_type: MTP
      max_draft_len: 3
  ctx:
    cuda_graph_config: null
    speculative_config: *id001
"""


def test_reads_the_shapes_of_real_files():
    case = yaml_reader.load(CASE)
    assert case["metadata"]["supported_gpus"] == ["GB200", "GB300"]
    assert case["metadata"]["config_index"] == -1
    assert case["slurm"] == {
        "job_time": "02:00:00",
        "account": "<account>",
        "extra_args": "--gres=gpu:4",
        "numa_bind": True,
    }
    assert case["benchmark"] == {"benchmark_ratio": 0.8, "concurrency_list": "1 2 4 8", "quoted_list": "2048"}
    environment = case["environment"]
    assert environment["trtllm_repo"] == ""
    assert environment["plain"] == 'A=1 "PYTHONWARNINGS=ignore::DeprecationWarning:cutlass.cute.core" B=2'
    assert environment["over_lines"] == "A=1 B=2 C=3"
    assert environment["folded"] == "A=1GiB B=2 C=3"
    assert environment["literal"] == "one\n  two\n"
    gen, ctx = case["worker_config"]["gen"], case["worker_config"]["ctx"]
    assert gen["cuda_graph_config"]["batch_sizes"] == [1, 2, 4, 8]
    assert gen["load_balancer"] == {"num_slots": 288, "layer_updates_per_iter": 1}
    assert ctx == {"cuda_graph_config": None, "speculative_config": {"decoding_type": "MTP", "max_draft_len": 3}}


@pytest.mark.parametrize(
    "text, value",
    [
        ("", None),
        ("a: ~", {"a": None}),
        ("a:\nb: 1", {"a": None, "b": 1}),
        ("a: 'it''s'", {"a": "it's"}),
        (r'a: "tab\there é"', {"a": "tab\there é"}),
        ('a: "one\n  line"', {"a": "one line"}),
        ("a: http://host:1/#x", {"a": "http://host:1/#x"}),
        ("- 1\n- - 2\n  - 3\n- k: 4\n  l: 5", [1, [2, 3], {"k": 4, "l": 5}]),
        ("a: {b: [1, {c: d}], 'e f': }", {"a": {"b": [1, {"c": "d"}], "e f": None}}),
        ("'quoted key': 1", {"quoted key": 1}),
        ("a: 1e3\nb: .5\nc: 007\nd: 1_0", {"a": 1000.0, "b": 0.5, "c": "007", "d": "1_0"}),
        ('{"json": [true, null, "x"]}', {"json": [True, None, "x"]}),
    ],
)
def test_reads(text, value):
    assert yaml_reader.load(text) == value


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("a: 1\na: 2", 2, "appears twice"),
        ("a: 1\n\tb: 2", 2, "tab"),
        ("a: !!str 1", 1, "not supported"),
        ("a: *nowhere", 1, "no anchor"),
        ("a: [1, 2", 1, "not closed"),
        ("a: x: y", 1, "second `key:`"),
        ("a: - 1", 1, "not supported"),
        ("a:\n  b: 1\n    c: 2", 3, "inside a value"),
        ("<<: {}", 1, "merge"),
        ("a: 1\n---\nb: 2", 2, "expected"),
    ],
)
def test_refuses_what_it_might_get_wrong(text, line, reason):
    with pytest.raises(yaml_reader.YamlError, match=rf"^line {line}: .*{reason}"):
        yaml_reader.load(text)


def test_writes_what_it_reads():
    case = yaml_reader.load(CASE)
    case["awkward"] = ["yes", "1", "02", "", " x", "a: b", "#", "[", 'q"', "line\nbreak", [], {}, [[1], [{"a": None}]]]
    assert yaml_reader.load(yaml_writer.dump(case)) == case
