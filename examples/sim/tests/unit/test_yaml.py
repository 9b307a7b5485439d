"""Reading YAML: PyYAML does the work, so only what is added to it is tested."""

import pytest

from tensorrt_llm.sim import yaml_file


def load(tmp_path, text):
    path = tmp_path / "case.yaml"
    path.write_bytes(text.encode("latin-1"))
    return yaml_file.load(str(path))


def test_aliases_and_merge_keys_are_resolved(tmp_path):
    text = "base: &b {x: 1, y: 2}\nsame: *b\nmerged:\n  <<: *b\n  x: 3\ntime: 02:00:00"
    value = load(tmp_path, text)
    assert (value["same"], value["merged"]) == ({"x": 1, "y": 2}, {"x": 3, "y": 2})
    assert value["time"] == "02:00:00"


@pytest.mark.parametrize(
    "text, where, reason",
    [
        ("a: 1\nb: 2\na: 3", ":3", "'a' appears twice"),
        ("a:\n  b: {c: 1, c: 2}", ":2", "'c' appears twice"),
        ("a: 1\n---\nb: 2", ":2", "another document"),
        ("a: [1, 2", ":1", "expected"),
        ("a: *nowhere", ":1", "undefined alias"),
        ("a: !!python/object:os.system {}", ":1", "constructor"),
        ("a: \xff", "", "can't decode byte"),
        ("- a", "", "not a mapping"),
    ],
)
def test_errors_are_one_line_and_say_where(tmp_path, text, where, reason):
    with pytest.raises(yaml_file.ConfigError, match=rf"case\.yaml{where}: .*{reason}") as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


def test_what_is_dumped_reads_back(tmp_path):
    value = {"z": ["yes", "1", "02:00:00", "", "a: b", "line\nbreak", [], {}, [[1], [{"a": None}]]], "a": 0.5}
    text = yaml_file.dump(value)
    assert load(tmp_path, text) == value
    assert text.startswith("z:"), "keys stay in order"
