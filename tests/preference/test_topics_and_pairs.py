"""Topics are split before anything is written; pair files that cannot be learned from are refused
in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.preference.pairs import Text, kept_texts, pair_rows, read_pairs, write_pairs
from mirrorenv.preference.topics import SPLITS, TopicSplit, normalised, split_topics, topics_of


def row(
    topic: str, author: str | None, peer: str | None, split: str | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "prompt": [{"role": "user", "content": topic}],
        "chosen": [{"role": "assistant", "content": f"{author or 'self'} on {topic}"}],
        "rejected": [{"role": "assistant", "content": f"{peer or 'other'} on {topic}"}],
    }
    named = {"author": author, "peer": peer, "split": split}
    return found | {name: value for name, value in named.items() if value is not None}


def both(topic: str, split: str | None = None) -> list[dict[str, Any]]:
    return [row(topic, "a", "b", split), row(topic, "b", "a", split)]


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


@given(
    st.lists(
        st.text(alphabet="abcdefgh ", min_size=1, max_size=6).filter(lambda t: t.strip()),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 5),
    st.floats(0.05, 0.45),
    st.floats(0.05, 0.45),
)
def test_splits_are_apart_complete_and_independent_of_the_order(
    topics: list[str], seed: int, tuning: float, held_out: float
) -> None:
    different = {normalised(topic) for topic in topics}
    try:
        split = split_topics(topics, tuning, held_out, seed)
    except ConfigError:
        count = len(different)
        assert count < 3 or max(1, round(tuning * count)) + max(1, round(held_out * count)) >= count
        return
    parts = [{normalised(topic) for topic in split[part]} for part in SPLITS]
    assert sum(map(len, parts)) == len(different) and set.union(*parts) == different
    again = split_topics(topics[::-1], tuning, held_out, seed)
    assert [{normalised(topic) for topic in again[part]} for part in SPLITS] == parts


def test_a_topic_in_two_splits_leaks_even_if_written_otherwise() -> None:
    with pytest.raises(ConfigError, match="leaks: it is in 'train' and in 'held_out'"):
        TopicSplit(("Tea or coffee?",), ("b",), ("tea  or coffee",))


def test_packs_are_read_by_name_and_unknown_ones_refused() -> None:
    assert (
        len(topics_of(["questions"]))
        == len({normalised(topic) for topic in topics_of(["questions"])})
        >= 40
    )
    assert len(topics_of(["questions", "preferences", "preferences"])) == len(
        topics_of(["questions", "preferences"])
    )
    with pytest.raises(UnknownNameError, match="questions"):
        topics_of(["question"])


def test_what_is_empty_cut_short_or_said_twice_is_dropped_and_counted() -> None:
    texts = [
        Text("a", "t", "train", "hello"),
        Text("a", "t", "train", "Hello ", sample=1),  # once more: the first stays
        Text("a", "t", "train", "both say"),
        Text("b", "t", "train", "both  say"),  # nobody owns it
        Text("b", "t", "train", "  "),
        Text("b", "t", "train", "cut", finished=False),
        Text("b", "u", "train", "hello"),  # another topic
    ]
    # "hello" is a's twice: a duplicate of itself; "both say" is everybody's.
    kept, dropped = kept_texts(texts)
    assert [(one.player, one.topic, one.text) for one in kept] == [
        ("a", "t", "hello"),
        ("b", "u", "hello"),
    ]
    assert (dropped.empty, dropped.truncated, dropped.duplicates) == (1, 1, 3)
    assert len(kept_texts(texts, "keep")[0]) == 3


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    texts = [
        Text(name, topic, split, f"{name} on {topic}")
        for split, topic in zip(SPLITS, ("x", "y", "z"), strict=True)
        for name in ("a", "b", "c")
    ]
    assert write_pairs(tmp_path / "pairs.jsonl", texts, "be nice") == {
        "train": 6,
        "tuning": 6,
        "held_out": 6,
    }
    found = read_pairs(tmp_path / "pairs.jsonl")
    assert found.players == ("a", "b", "c") and found.topics == TopicSplit(("x",), ("y",), ("z",))
    assert {(one.player, one.topic, one.split, one.text) for one in found.texts} == {
        (one.player, one.topic, one.split, one.text) for one in texts
    }


def test_a_debates_export_gets_its_tuning_topics_from_its_training_topics(tmp_path: Path) -> None:
    rows = [one for number in range(5) for one in both(f"t{number}", "train")]
    rows += [one for number in range(2) for one in both(f"h{number}", "test")]
    found = read_pairs(written(tmp_path / "pairs.jsonl", rows), tuning=0.4)
    assert found.topics.held_out == ("h0", "h1")
    assert len(found.topics.tuning) == 2 and len(found.topics.train) == 3
    assert {one.split for one in found.texts if one.topic in found.topics.tuning} == {"tuning"}


def test_the_export_of_a_real_tournament_is_read(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from mirrorenv.cli.app import app

    runner = CliRunner()
    for command in (
        ["init", "d"],
        ["run", "d/tournament.toml", "--out", "d/run", "--games", "2", "-q"],
    ):
        done = runner.invoke(
            app,
            [
                "debate",
                *(
                    word.replace("d/", f"{tmp_path}/d/")
                    if word.startswith("d/")
                    else word.replace("d", f"{tmp_path}/d")
                    if word == "d"
                    else word
                    for word in command
                ),
            ],
        )
        assert done.exit_code == 0, done.output
    from mirrorenv.debate.output.export import write_pairs as export
    from mirrorenv.debate.scoring.results import open_results

    export(open_results(tmp_path / "d" / "run"), tmp_path / "pairs.jsonl", 0.4)
    found = read_pairs(tmp_path / "pairs.jsonl")
    assert len(found.players) >= 2 and not set(found.topics.train) & set(found.topics.held_out)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "is empty"),
        (
            [{"prompt": "x", "chosen": "y", "rejected": "z"}],
            "line 1: 'prompt' must be a list of messages",
        ),
        (
            [{**row("t", "a", "b"), "chosen": [{"role": "user", "content": "x"}]}],
            "role 'assistant'",
        ),
        ([row("t", "a", "a")], "one-sided, 'a' wrote both"),
        ([row(f"t{n}", "a", "b") for n in range(9)], "one-sided: 'b' is only ever rejected"),
        ([row(f"t{n}", None, None) for n in range(9)], "one-sided: 'other' is only ever rejected"),
        ([*both("t", "train"), *both("T ", "test")], "leaks: it is in 'train' and in 'held_out'"),
        ([*both("t", "train"), *both("u", "exam")], "unknown split 'exam'"),
        ([*both("t", "train"), *both("u")], "some rows name a split and some do not"),
        ([*both("t", "train"), *both("u", "test")], "one training topic"),
        ([*both("t"), *both("u")], "three splits need at least one each"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_pairs(written(tmp_path / "pairs.jsonl", rows))


def test_a_missing_file_and_one_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; 'mirrorenv debate export'"):
        read_pairs(tmp_path / "nothing.jsonl")
    (tmp_path / "story.txt").write_text("Once upon a time\nthere was\n")
    with pytest.raises(ConfigError, match="not JSON lines"):
        read_pairs(tmp_path / "story.txt")


def test_rejected_texts_can_be_taken_as_their_authors_own(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.jsonl", [row(f"t{n}", None, None) for n in range(9)])
    found = read_pairs(path, both_ways=True)
    assert found.players == ("self", "other") and len(found.texts) == 18


def test_a_player_whose_texts_are_all_somebody_elses_too_is_one_sided(tmp_path: Path) -> None:
    rows = [one for n in range(9) for one in both(f"t{n}")]
    for one in rows:
        one["chosen"][0]["content"] = one["rejected"][0]["content"] = "the same"
    with pytest.raises(ConfigError, match="one-sided: 'a' has no text left in the split 'train'"):
        read_pairs(written(tmp_path / "pairs.jsonl", rows))


def test_pairs_are_own_against_other_on_one_topic() -> None:
    texts = [
        Text("a", "t", "train", "1"),
        Text("b", "t", "train", "2"),
        Text("a", "u", "train", "3"),
    ]
    rows = pair_rows(texts)
    assert [(one["author"], one["peer"]) for one in rows] == [("a", "b"), ("b", "a")]
    assert rows[0]["chosen"][0]["content"] == "1" and rows[0]["rejected"][0]["content"] == "2"
