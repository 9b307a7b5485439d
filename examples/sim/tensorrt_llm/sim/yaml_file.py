"""YAML files, read as engines read them: with PyYAML, but a key that is written twice is an error."""

from __future__ import annotations

import yaml


class ConfigError(ValueError):
    """A config that cannot be read, or cannot work. The message is one line."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice: PyYAML keeps the last one without a word."""

    def construct_mapping(self, node, deep=False):
        if isinstance(node, yaml.MappingNode):
            self._refuse_duplicates(node)
        return super().construct_mapping(node, deep)

    def _refuse_duplicates(self, node: yaml.MappingNode):
        seen = set()
        for key_node, _ in node.value:
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                problem = f"the key {key_node.value!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)


def load(path: str) -> dict:
    """Returns the mapping in the file at `path`."""
    try:
        with open(path, encoding="utf-8") as file:
            value = yaml.load(file, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"{where}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: not a mapping")
    return value


def dump(value) -> str:
    """Returns `value` (mappings, lists, scalars) as a document."""
    return yaml.safe_dump(value, sort_keys=False)
