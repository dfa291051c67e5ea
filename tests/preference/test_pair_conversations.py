"""Pair files of others: what was asked is kept or refused by line, and a folder has one writer."""

from __future__ import annotations

import json

import pytest

from mirrorenv.errors import ConfigError
from mirrorenv.preference.pairs import read_pairs

TOPICS = [f"Question {number}?" for number in range(6)]


def rows(system=None, before=(), answer_before=()):
    made = []
    for topic in TOPICS:
        for own, other in (("ann", "bob"), ("bob", "ann")):
            asked = [*([{"role": "system", "content": system}] if system else []), *before]
            said = {
                side: [*answer_before, {"role": "assistant", "content": f"{who} on {topic}"}]
                for side, who in (("chosen", own), ("rejected", other))
            }
            prompt = [*asked, {"role": "user", "content": topic}]
            made.append({"prompt": prompt, **said, "author": own, "peer": other})
    return made


def written(path, some, start=""):
    text = start + "".join(json.dumps(row) + "\n" for row in some)
    path.write_text(text, encoding="utf-8")
    return path


def test_one_system_message_is_kept(tmp_path):
    assert read_pairs(written(tmp_path / "p.jsonl", rows("Be brief."))).system == "Be brief."
    assert read_pairs(written(tmp_path / "q.jsonl", rows())).system is None


def test_different_system_messages_are_refused_by_line(tmp_path):
    some = rows("Be brief.")
    some[6]["prompt"][0] = {"role": "system", "content": "You are a pirate."}
    with pytest.raises(ConfigError, match="line 7: another system message"):
        read_pairs(written(tmp_path / "p.jsonl", some))
    some[6]["prompt"] = some[6]["prompt"][1:]
    with pytest.raises(ConfigError, match="line 7"):
        read_pairs(written(tmp_path / "p.jsonl", some))


EARLIER = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"before": EARLIER}, "prompt"), ({"answer_before": EARLIER}, "chosen")],
)
def test_conversations_of_several_turns_are_refused_by_line(tmp_path, given, field):
    with pytest.raises(ConfigError, match=f"line 1: '{field}' holds 3 messages"):
        read_pairs(written(tmp_path / "p.jsonl", rows(**given)))


def test_a_mark_before_the_first_line_is_no_part_of_it(tmp_path):
    assert read_pairs(written(tmp_path / "p.jsonl", rows(), "\ufeff")).players == ("ann", "bob")
