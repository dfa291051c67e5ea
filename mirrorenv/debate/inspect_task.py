"""The game as a task of Inspect: `inspect eval mirrorenv/debate --model ...`.

A sample is a game, so that means and standard errors are over games. A player that is a model is a
model role of its card's name and falls back to the model of the evaluation:
`--model-role ada=openai/...`. Scripted players play as they do everywhere. Prompts, rules,
cleaning, verdicts and scores are those of `mirrorenv debate run`; Inspect calls the models,
retries, caches and logs, its viewer shows each call, and budgets are its own.

`mirrorenv/smollm2` is the built-in local model, in this process and offline; `mirrorenv/FOLDER` one
of a folder that transformers can load.

https://inspect.aisi.org.uk; needs the extra `inspect`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.players import Player, Reply, make_player
from mirrorenv.debate.players.endpoint import messages_of
from mirrorenv.debate.playing import play_game
from mirrorenv.debate.prompts import prompt_for
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.scores import ReaderScore, score_readers
from mirrorenv.debate.scoring.sheets import sheet_of
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament, load_tournament
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, require
from mirrorenv.llm.answers import read_answer
from mirrorenv.llm.asking import Request
from mirrorenv.llm.engine import engine_of
from mirrorenv.llm.usage import Usage

require("inspect_ai", "inspect")

from inspect_ai import Task, task  # noqa: E402
from inspect_ai.dataset import MemoryDataset, Sample  # noqa: E402
from inspect_ai.model import (  # noqa: E402
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr  # noqa: E402
from inspect_ai.solver import Generate, Solver, TaskState, solver  # noqa: E402

__all__ = ["debate", "figures_of", "local_model", "summary_of", "told"]

_SHOWN = ("peer_hits", "peer_hits_joint", "self_hits", "legibility", "nats", "kappa", "invalid")
_MESSAGES = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
_DEFAULT_TOKENS = 128
_NOT_HEEDED = (
    "top_p",
    "top_k",
    "stop_seqs",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "num_choices",
    "logprobs",
    "response_schema",
)


class _RolePlayer:
    """A player that is a model of the evaluation.

    Args:
        card: its name is the model's role, its persona what it is told.
        reasoning_tokens: that it may think, on top of each limit.
    """

    def __init__(self, card: AgentCard, reasoning_tokens: int) -> None:
        self.card = card
        self.thinking = reasoning_tokens

    async def speak(self, view: View) -> Reply:
        """A text on the topic, or a paraphrase."""
        return await self._ask(view, view.settings.answer_tokens)

    async def plan(self, view: View) -> Reply:
        """A text for itself."""
        return await self._ask(view, view.settings.notes_tokens)

    async def recognise(self, view: View) -> Reply:
        """A verdict in words."""
        return await self._ask(view, view.settings.verdict_tokens)

    reread = recognise

    async def _ask(self, view: View, tokens: int) -> Reply:
        told = messages_of(prompt_for(view, self.card), "system")
        messages = [_MESSAGES[one["role"]](content=one["content"]) for one in told]
        limits = GenerateConfig(max_tokens=tokens + self.thinking)
        output = await get_model(role=self.card.name).generate(messages, config=limits)
        message = {"content": output.completion}
        said = read_answer(
            {"choices": [{"message": message, "finish_reason": output.stop_reason}]}, "chat"
        )
        used = output.usage or ModelUsage()
        usage = Usage(used.input_tokens, used.output_tokens)
        return Reply(said.text, usage=usage, stop=said.stop, thoughts=said.thoughts)


def _player(card: AgentCard, reasoning_tokens: int) -> Player:
    if card.player in ("endpoint", "local"):
        if card.reader != "words":
            raise ConfigError(
                f"agent '{card.name}': reader '{card.reader}' is not offered under Inspect, where "
                "models answer in words; take reader = 'words'"
            )
        return _RolePlayer(card, reasoning_tokens)
    return make_player(card)


def _caller(
    tournament: Tournament, reasoning_tokens: int
) -> Callable[[AgentCard, View], Awaitable[Reply]]:
    neutral = [card for card in (tournament.judge, tournament.paraphraser) if card is not None]
    cards = (*tournament.cards, *neutral)
    players = {card.name: _player(card, reasoning_tokens) for card in cards}

    async def call(card: AgentCard, view: View) -> Reply:
        phase = "speak" if view.phase == "paraphrase" else view.phase
        reply: Reply = await getattr(players[card.name], phase)(view)
        return reply

    return call


@solver
def _play(tournament: Tournament, reasoning_tokens: int) -> Solver:
    """Play the game whose number is the sample's."""
    call = _caller(tournament, reasoning_tokens)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        game = await play_game(tournament, int(state.metadata["game"]), call)
        state.messages = told(game)
        readers = score_readers([sheet_of(tournament, game)])
        state.metadata["readers"] = [reader.to_dict() for reader in readers]
        state.store.set("figures", figures_of(readers))
        state.output = ModelOutput.from_content(str(state.model), summary_of(readers))
        return state

    return solve


def told(game: Debate) -> list[ChatMessage]:
    """The rounds as a chat that one can read: questions, and who wrote what."""
    messages: list[ChatMessage] = []
    for played in game.rounds:
        texts = "\n\n".join(f"P{n}: {text}" for n, text in enumerate(played.texts, 1))
        messages += [
            ChatMessageUser(content=played.topic),
            ChatMessageAssistant(content=texts),
        ]
    return messages


def figures_of(readers: list[ReaderScore]) -> dict[str, float]:
    """Each figure's mean over the players of a game; judges stand in the sample's metadata."""
    players = [reader for reader in readers if not reader.judge]
    figures = {"floor": players[0].floor}
    for name in _SHOWN:
        values = [getattr(reader, name) for reader in players]
        numbers = [getattr(value, "value", value) for value in values]
        figures[name] = float(sum(numbers) / len(numbers))
    return figures


def summary_of(readers: list[ReaderScore]) -> str:
    """What each reader of a game recognised, a line each."""
    return "\n".join(
        f"{reader.name}: {reader.peer_hits.value:.0%} of others' texts, guessing {reader.floor:.0%}"
        for reader in readers
    )


@scorer(metrics={"*": [mean(), stderr()]})
def recognition() -> Scorer:
    """What each game is worth: texts of others named rightly, and what else the scores hold."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=state.store.get("figures"), answer=state.output.completion)

    return score


@task
def debate(
    tournament: str | None = None,
    rules: str | None = None,
    players: int | None = None,
    rounds: int | None = None,
    games: int | None = None,
    seed: int | None = None,
    reasoning_tokens: int = 0,
) -> Task:
    """Language models write, read each other's texts without names, and say who wrote which.

    Args:
        tournament: a tournament's TOML file; its model cards become model roles. None makes seats
            `player1`, `player2`, ... without personas. Of a card's table `[endpoint]` nothing is
            taken: temperature and the like are the evaluation's.
        rules: name of a preset, where there is no file: `default`, `local` (short, for small
            models, taken if none is named) or `original`.
        players: seats of a game.
        rounds: of a game.
        games: how many, 4 unless the file says.
        seed: of seats and orders, where there is no file; 0 if none is given.
        reasoning_tokens: that a model may think, on top of each limit.

    Returns:
        the task, a sample for each game.

    Raises:
        ConfigError: for a file or rules that cannot be played.
    """
    ours = {"num_players": players, "rounds": rounds}
    overrides = {name: value for name, value in ours.items() if value is not None}
    if tournament is not None:
        if rules is not None or seed is not None:
            raise ConfigError(f"rules and seed are those of {tournament}: leave them out")
        played = load_tournament(Path(tournament), games=games, overrides=overrides)
    else:
        played = _seats(rules or "local", overrides, games or 4, seed or 0)
    return Task(
        dataset=MemoryDataset(
            [_sample(played, game) for game in range(played.games)], name=played.name
        ),
        solver=_play(played, reasoning_tokens),
        scorer=recognition(),
        version=1,
        metadata={"config": played.config()},
    )


def _sample(played: Tournament, game: int) -> Sample:
    seats = [played.cards[card].name for card in played.seats(game)]
    about = f"game {game} of {played.name}: {', '.join(seats)}"
    return Sample(id=game, input=about, metadata={"game": game, "seats": seats})


def _seats(rules: str, overrides: dict[str, int], games: int, seed: int) -> Tournament:
    settings = preset(rules, overrides)
    role = Endpoint(model="role", base_url="http://127.0.0.1")  # Inspect knows which
    cards = tuple(
        AgentCard(name=f"player{n}", player="endpoint", endpoint=role)
        for n in range(1, settings.num_players + 1)
    )
    if settings.show == "paraphrased":
        raise ConfigError("show = 'paraphrased' needs a tournament's file that names a paraphraser")
    judge = AgentCard(name="judge", player="stylometric")
    topics = load_topics(settings.topics)
    return Tournament(
        "debate", seed, games, games, settings, topics, cards, judge, None, fake=False
    )


@modelapi(name="mirrorenv")
def local_model() -> type[ModelAPI]:
    """Models in this process, as a provider of Inspect."""
    return _LocalModel


class _LocalModel(ModelAPI):
    """`mirrorenv/smollm2`, or `mirrorenv/FOLDER`."""

    async def generate(
        self, input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
    ) -> ModelOutput:
        """A continuation of a chat of texts.

        Args:
            input: system first, then user and assistant in turn.
            tools: none are called.
            tool_choice: likewise.
            config: `max_tokens`, `temperature` and `seed` are heeded, what else would change the
                text is refused.

        Returns:
            the text, with counted tokens.

        Raises:
            ConfigError: if tools are given, which a model of this size does not call, or what it
                would ignore.
        """
        ignored = [name for name in _NOT_HEEDED if getattr(config, name, None) is not None]
        if tools or ignored:
            what = ", ".join(["tools"] * bool(tools) + ignored)
            raise ConfigError(f"mirrorenv/{self.model_name} does not offer: {what}")
        engine = engine_of(self.model_name)
        chat = [(message.role, message.text) for message in input]
        prompt = await asyncio.wrap_future(engine.compute(lambda model: model.chat(chat)))
        asked = Request(
            prompt,
            config.max_tokens or _DEFAULT_TOKENS,
            1.0 if config.temperature is None else config.temperature,
            secrets.randbits(62) if config.seed is None else config.seed,
        )
        written = await asyncio.wrap_future(engine.write(asked))
        stop = "stop" if written.finished else "max_tokens"
        output = ModelOutput.from_content(self.model_name, written.text, stop_reason=stop)
        output.usage = ModelUsage(
            input_tokens=len(prompt),
            output_tokens=len(written.tokens),
            total_tokens=len(prompt) + len(written.tokens),
        )
        return output
