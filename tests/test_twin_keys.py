"""A key that stands twice is refused wherever a document from outside is read: two readers of one
file must not see two things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorenv.errors import MirrorError

TWINS = '{"a": {"b": 1, "b": 2}}'


def read_json(path: Path) -> Any:
    from mirrorenv.results.runs.files import read_json

    path.write_text(TWINS)
    return read_json(path)


def read_log(path: Path) -> Any:
    from mirrorenv.results.runs.json_lines import read_jsonl

    path.write_text(f"{TWINS}\n")
    return read_jsonl(path)


def read_settings(path: Path) -> Any:
    from mirrorenv.strict import gather

    path.with_suffix(".json").write_text(TWINS)
    return gather([path.with_suffix(".json")], (), {}, "a=1")


def read_yaml(path: Path) -> Any:
    from mirrorenv.strict import parse_yaml

    return parse_yaml("a: 1\nb: 2\n? a\n: 3\n", "here")


def read_toml(path: Path) -> Any:
    from mirrorenv.strict import parse_toml

    return parse_toml("a = 1\na = 2\n", "here")


def read_override(path: Path) -> Any:
    from mirrorenv.strict import read_override

    return read_override(f"x={TWINS}", "a=b", "a=1")


def read_stream(path: Path) -> Any:
    from mirrorenv.llm.streams import whole_answer

    return whole_answer(f"data: {TWINS}\n\ndata: [DONE]\n")


def read_option(path: Path) -> Any:
    pytest.importorskip("ray")
    from mirrorenv.rllib.command.options import json_option

    return json_option("--config", TWINS)


def read_episodes(path: Path) -> Any:
    from mirrorenv.results.report.shown import EPISODES, read_shown

    (path.parent / EPISODES).mkdir()
    (path.parent / EPISODES / "after.json").write_text(TWINS)
    return read_shown(path.parent, "after")


def read_weights(path: Path) -> Any:
    pytest.importorskip("torch")
    from mirrorenv.population.weight_file import put_weights, weight_bytes
    from tests.population.small import population

    held = population()
    data = weight_bytes(held)
    put_weights(held, data, "here")
    length = int.from_bytes(data[:8], "little")
    head = data[8 : 8 + length].rstrip()
    first = head[1 : head.index(b"}") + 1]  # a tensor's name, type, shape and place
    twice = b"{" + first + b"," + head[1:]
    put_weights(held, len(twice).to_bytes(8, "little") + twice + data[8 + length :], "here")


READERS: list[Callable[[Path], Any]] = [
    read_json,
    read_log,
    read_settings,
    read_yaml,
    read_toml,
    read_override,
    read_stream,
    read_option,
    read_episodes,
    read_weights,
]


@pytest.mark.parametrize("read", READERS)
def test_it_is_refused(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises((MirrorError, ValueError)):
        read(tmp_path / "file")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_says_two_things_is_none(streamed: bool) -> None:
    httpx2 = pytest.importorskip("httpx2")
    from mirrorenv.llm.endpoint import Connection, EndpointClient
    from mirrorenv.llm.failures import Failure
    from mirrorenv.llm.rate_limit import Gate

    text = '{"choices": [], "model": "m", "model": "n"}'
    text = f"data: {text}\n\ndata: [DONE]\n" if streamed else text
    there = Connection("card", "http://127.0.0.1:1/v1", "", "chat", retries=0, longest_wait=1.0)
    answer = httpx2.Response(200, headers={"content-type": "application/json"})
    found = EndpointClient(there, Gate(1))._understood(answer, text)
    assert isinstance(found, Failure) and "'model' is there twice" in found.said


def test_a_merge_of_yaml_may_be_overridden_and_repeated() -> None:
    from mirrorenv.strict import parse_yaml

    text = "c: &c {x: 1}\nb: &b\n  <<: *c\n  x: 2\na:\n  <<: [*b, *c]\n  y: 3\n"
    assert parse_yaml(text, "here")["a"] == {"x": 2, "y": 3}
