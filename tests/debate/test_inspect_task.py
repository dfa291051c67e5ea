"""The game as a task of Inspect: the same games and figures as `mirrorenv debate run`, models by
role, offline. Runs where the extra `inspect` is installed (`make test-inspect`)."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="comes with the extra inspect")

from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from mirrorenv.debate.calls import Budget  # noqa: E402
from mirrorenv.debate.inspect_task import debate  # noqa: E402
from mirrorenv.debate.log import CallLog  # noqa: E402
from mirrorenv.debate.playing import play_tournament, recorded_game  # noqa: E402
from mirrorenv.debate.scoring.scores import score_readers  # noqa: E402
from mirrorenv.debate.scoring.sheets import sheet_of  # noqa: E402
from mirrorenv.debate.starter import write_starter  # noqa: E402
from mirrorenv.debate.tournament import load_tournament  # noqa: E402
from mirrorenv.errors import ConfigError  # noqa: E402

OPENINGS = ("Ships sail north at dawn.", "A quiet kitchen, always.", "Blue is mostly a mood.")


def played(task: Any, tmp_path: Path, **more: Any) -> Any:
    more = {"model": "mockllm/model", **more}
    (log,) = inspect_ai.eval(task, log_dir=str(tmp_path / "logs"), display="none", **more)
    assert log.status == "success", log.error
    return log


def mock(answer: Any) -> Any:
    """A model that answers a prompt, its roles and contents, with counted tokens."""

    def output(messages: Any, *rest: Any) -> ModelOutput:
        said = ModelOutput.from_content("mock", answer([(one.role, one.text) for one in messages]))
        said.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
        return said

    return get_model("mockllm/model", custom_outputs=output, memoize=False)


def test_scripted_games_are_worth_what_a_tournament_says(tmp_path: Path) -> None:
    file = write_starter(tmp_path / "t", "default")
    log = played(debate(tournament=str(file), games=2, rounds=2), tmp_path)
    tournament = load_tournament(file, games=2, overrides={"rounds": 2})
    asyncio.run(play_tournament(tournament, CallLog(tmp_path / "calls.jsonl"), Budget()))
    calls = CallLog(tmp_path / "calls.jsonl")
    for game, sample in enumerate(log.samples):
        found = recorded_game(tournament, calls, game)
        readers = score_readers([sheet_of(tournament, found)])
        assert sample.metadata["readers"] == json.loads(json.dumps([r.to_dict() for r in readers]))
        players = [reader.peer_hits.value for reader in readers if not reader.judge]
        figures = sample.scores["recognition"].value
        assert figures["peer_hits"] == pytest.approx(sum(players) / len(players))


def test_models_are_roles_and_hear_their_personas(tmp_path: Path) -> None:
    heard: dict[str, set[str]] = {"player1": set(), "player2": set(), "player3": set()}

    def role(name: str) -> Any:
        def answer(said: list[tuple[str, str]]) -> str:
            heard[name].add(said[0][0])
            return f"I am {name} and say so."

        return mock(answer)

    log = played(
        debate(rules="local", games=1, rounds=1),
        tmp_path,
        model_roles={name: role(name) for name in heard},
    )
    (sample,) = log.samples
    assert all(roles == {"system"} for roles in heard.values())
    texts = sample.messages[1].text
    assert all(f"I am {name} and say so." in texts for name in heard)
    figures = sample.scores["recognition"].value
    assert figures["invalid"] == 1.0 and figures["peer_hits"] == pytest.approx(figures["floor"])
    assert {one["name"] for one in sample.metadata["readers"]} >= heard.keys()


def test_a_reader_that_is_always_right_gets_all(tmp_path: Path) -> None:
    """Each role has one sentence, which all know."""

    def role(number: int) -> Any:
        def answer(said: list[tuple[str, str]]) -> str:
            asked = said[-1][1]
            if "Who wrote which?" not in asked:
                return OPENINGS[number - 1]
            found = re.findall(r"===== \w+ text ([A-Z])\n(.+)", asked)
            marked = [(text, OPENINGS.index(words) + 1) for text, words in found]
            row = {"P1": 0.0, "P2": 0.0, "P3": 0.0}
            return json.dumps({text: {**row, f"P{author}": 1.0} for text, author in marked})

        return mock(answer)

    task = debate(rules="local", games=1, rounds=2)
    seats = task.dataset[0].metadata["seats"]
    roles = {name: role(seat) for seat, name in enumerate(seats, 1)}
    log = played(task, tmp_path, model_roles=roles)
    figures = log.samples[0].scores["recognition"].value
    assert figures["peer_hits"] == 1.0 and figures["invalid"] == 0.0 and figures["kappa"] == 1.0


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        debate(tournament="nowhere.toml")


@pytest.mark.parametrize("more", [{"rules": "default"}, {"seed": 3}])
def test_what_a_file_says_is_not_said_twice(tmp_path: Path, more: dict[str, Any]) -> None:
    file = write_starter(tmp_path / "t", "default")
    with pytest.raises(ConfigError, match="leave them out"):
        debate(tournament=str(file), **more)


def test_a_model_in_this_process_plays(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.debate.tiny import tiny_model, tiny_tokenizer

    tiny = tiny_model().model
    tiny.save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    task = debate(rules="local", games=1, rounds=1)
    log = played(task, tmp_path, model=f"mirrorenv/{tmp_path / 'model'}")
    (usage,) = log.stats.model_usage.values()
    assert usage.input_tokens > usage.output_tokens > 0
