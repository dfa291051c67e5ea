"""A tournament as data: who plays with which others, how often, by which rules; and its run
folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from mirrorenv.debate.cards import AgentCard, load_card
from mirrorenv.debate.identity import OF_TOURNAMENTS, log_changes, refuse_another
from mirrorenv.debate.players.local_prompts import local_fingerprint
from mirrorenv.debate.players.persona import VOICES
from mirrorenv.debate.prompts import fingerprint
from mirrorenv.debate.settings import DebateSettings, preset
from mirrorenv.debate.texts import EDITION
from mirrorenv.debate.topic_files import TopicPack, load_topics
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import lineup_permutations
from mirrorenv.results.runs.files import to_json
from mirrorenv.results.runs.lock import HIDDEN
from mirrorenv.results.runs.run_folder import RUN, RunFolder
from mirrorenv.strict import ExactModel, first_problem, parse_toml, read_settings_text

__all__ = ["Tournament", "TournamentFile", "load_tournament", "prompts_version"]


class TournamentFile(ExactModel):
    """What stands in a tournament's TOML file."""

    name: str = Field(default="tournament", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")
    """Shown on pages, and the name of the run folder unless one is given."""
    seed: int = Field(
        default=0, ge=0, description="Seats, orders and scripted players follow from it."
    )
    games: int = Field(default=20, ge=1, le=1_000_000)
    """How many games are played; also `--games`."""
    games_at_once: int = Field(default=4, ge=1, le=256)
    """How many of them run side by side."""
    refusals: int = Field(
        default=4,
        ge=0,
        description="Requests of one game that a server may refuse for good (a filter, a prompt "
        "too long): each counts as no answer. One more ends the game.",
    )
    preset: str = "default"
    """Which rules [settings] starts from: default, original or local."""
    players: list[str] = Field(
        min_length=2, description="Paths of agent cards, relative to this file."
    )
    judge: str | None = Field(
        default=None,
        description="Card of the neutral readers; a style classifier if there is none.",
    )
    paraphraser: str | None = Field(
        default=None, description="Card of the neutral writer, for show = 'paraphrased'."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="What differs from the preset."
    )
    arms: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Ways to read the same texts, for `mirrorenv debate set`: by name, which "
        "settings differ.",
    )


@dataclass(frozen=True)
class Tournament:
    """A tournament that is ready to be played.

    Attributes:
        name: of the tournament.
        seed: of seats, orders and scripted chance.
        games: how many.
        games_at_once: how many side by side.
        settings: the rules.
        topics: what it is about.
        cards: the players; a card may occur more than once in the file, then with a number behind
            its name.
        judge: the neutral reader.
        paraphraser: the neutral writer, or None.
        fake: whether models were replaced by scripted players.
        refusals: requests of one game that servers may refuse for good.
        edition: of the rules by which texts are cleaned.
        arm: its name, if it reads the texts of another tournament; see `mirrorenv.debate.arms`.
        arms: what other arms of this tournament change.
    """

    name: str
    seed: int
    games: int
    games_at_once: int
    settings: DebateSettings
    topics: TopicPack
    cards: tuple[AgentCard, ...]
    judge: AgentCard
    paraphraser: AgentCard | None
    fake: bool
    refusals: int = 4
    edition: int = EDITION
    arm: str = ""
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def seats(self, game: int) -> tuple[int, ...]:
        """The card of each seat of a game: those that have played least, drawn by hash among
        equals."""
        return self.seating[game]

    @cached_property
    def seating(self) -> list[tuple[int, ...]]:
        """The seats of all games. A longer tournament begins with the same ones."""
        count = self.settings.num_players
        played = [0] * len(self.cards)
        result: list[tuple[int, ...]] = []
        for game in range(self.games):
            keys = [
                (played[card], _hash(self.seed, game, card), card)
                for card in range(len(self.cards))
            ]
            drawn = sorted(card for *_, card in sorted(keys)[:count])
            for card in drawn:
                played[card] += 1
            order = lineup_permutations(f"seats {self.seed}", [game], "seats", count)[0]
            result.append(tuple(drawn[k] for k in order))
        return result

    def config(self) -> dict[str, Any]:
        """What a run folder keeps; enough to open the tournament again without its files."""
        arm = {"arm": self.arm} if self.arm else {}
        return {
            "what": "debate tournament",
            "name": self.name,
            **arm,
            "games": self.games,
            "games_at_once": self.games_at_once,
            "refusals": self.refusals,
            "texts": self.edition,
            "fake": self.fake,
            "settings": self.settings.model_dump(mode="json"),
            "topics": {
                "name": self.topics.name,
                "title": self.topics.title,
                "about": self.topics.about,
                "topics": list(self.topics.topics),
            },
            "cards": [card.model_dump(mode="json") for card in self.cards],
            "judge": self.judge.model_dump(mode="json"),
            "paraphraser": None
            if self.paraphraser is None
            else self.paraphraser.model_dump(mode="json"),
            "prompts": prompts_version(
                local=any(card.player == "local" for card in (*self.cards, self.judge))
            ),
        }

    def folder(self, path: Path) -> RunFolder:
        """The run folder, new or gone on with. Hold its lock first.

        A finished tournament is left as it is, unless more games are asked for.

        Raises:
            RunFolderError: if it holds another tournament, or one of more games that is finished;
                the message names the first difference.
        """
        _remove_stillborn(path)
        config = to_json(self.config(), "config")
        if (path / RUN).exists():
            run = RunFolder.open(path)
            if run.config.get("what") == config["what"]:
                config["texts"] = run.config.get("texts", 1)  # it goes on as it began
                refuse_another(path, {"texts": 1, **run.config}, config)
                if run.status == "finished" and self.games <= run.config["games"]:
                    return run
                log_changes(path, run.config, config)
        return RunFolder.create(
            path,
            config,
            self.seed,
            device="api",
            if_exists="resume",
            may_differ=(*OF_TOURNAMENTS, "texts", "cards", "judge", "paraphraser"),
        )


def _remove_stillborn(path: Path) -> None:
    """Clear a folder whose making was killed before it became a run folder; anything else is left
    alone."""
    if not path.is_dir() or (path / "run.json").exists():
        return
    found = list(path.iterdir())
    found = [item for item in found if item.name not in HIDDEN]
    if all(
        item.name == "config.json" or (item.name[0] == "." and item.suffix == ".tmp")
        for item in found
    ):
        for item in found:
            item.unlink()


def prompts_version(local: bool = False) -> str:
    """A hash of all prompts: a season. Results of different seasons are never joined silently.

    Args:
        local: whether a model in this process plays, which is told other things.
    """
    return f"{fingerprint()}-{local_fingerprint()}" if local else fingerprint()


def _hash(*parts: object) -> int:
    return int.from_bytes(
        blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest(), "little"
    )


def load_tournament(
    path: str | Path,
    *,
    fake: bool = False,
    games: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Tournament:
    """Read a tournament's TOML file and its cards.

    Args:
        path: the file.
        fake: replace every model by a scripted player.
        games: how many, if not what the file says.
        overrides: settings of the game, above those of the file.

    Raises:
        ConfigError: if a file is missing or something in it is wrong.
    """
    path = Path(path)
    try:
        text = read_settings_text(path)
    except ConfigError as error:
        raise ConfigError(
            f"tournament {path}: {error}; 'mirrorenv debate init {path.parent}' makes one"
        ) from error
    data = parse_toml(text, f"tournament {path}")
    try:
        file = TournamentFile(**data)
    except (ValidationError, TypeError) as error:
        said = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"tournament {path}: {said}") from error
    settings = preset(file.preset, {**file.settings, **(overrides or {})})
    judge = (
        load_card(path.parent / file.judge)
        if file.judge
        else AgentCard(name="judge", player="stylometric")
    )
    writer = (
        load_card(path.parent / file.paraphraser)
        if file.paraphraser
        else AgentCard(name="no-writer", player="random")
    )
    *cards, judge, writer = _numbered(
        [*(load_card(path.parent / name) for name in file.players), judge, writer]
    )
    if fake:
        cards = [_scripted(card, number) for number, card in enumerate(cards)]
        judge = _scripted(judge, None)
        writer = _scripted(writer, None)
    if len(cards) < settings.num_players:
        raise ConfigError(
            f"tournament {path}: {len(cards)} players for games of {settings.num_players}; add "
            "cards (the same one may "
            "be named twice) or set num_players"
        )
    if settings.show == "paraphrased" and file.paraphraser is None:
        raise ConfigError(f"tournament {path}: show = 'paraphrased' needs a card as 'paraphraser'")
    topics = load_topics(_topics_path(path, settings.topics))
    return Tournament(
        name=file.name,
        seed=file.seed,
        games=games or file.games,
        games_at_once=file.games_at_once,
        settings=settings,
        topics=topics,
        cards=tuple(cards),
        judge=judge,
        paraphraser=writer if file.paraphraser else None,
        fake=fake,
        refusals=file.refusals,
        arms=file.arms,
    )


def _topics_path(path: Path, topics: str) -> str:
    return str(path.parent / topics) if topics.endswith(".toml") else topics


def _numbered(cards: Sequence[AgentCard]) -> list[AgentCard]:
    """Names made different by a number.

    Raises:
        ConfigError: if a name with its number is taken, or too long for a name.
    """
    seen: dict[str, int] = {}
    result = []
    for card in cards:
        seen[card.name] = seen.get(card.name, 0) + 1
        number = seen[card.name]
        name = card.name if number == 1 else f"{card.name}.{number}"
        result.append(card if number == 1 else _renamed(card, name))
    taken: set[str] = set()
    for card in result:
        if card.name.casefold() in taken:
            raise ConfigError(
                f"two players are called '{card.name}', the number behind a name that occurs twice "
                "included: give the cards different names"
            )
        taken.add(card.name.casefold())
    return result


def _renamed(card: AgentCard, name: str) -> AgentCard:
    try:
        return AgentCard.model_validate({**card.model_dump(), "name": name})
    except ValidationError as error:
        raise ConfigError(
            f"the card '{card.name}' plays more than once, and '{name}' is too long for a name (40 "
            "characters): shorten the name in the card"
        ) from error


def _scripted(card: AgentCard, number: int | None) -> AgentCard:
    """A scripted player in the place of a model: a voice for a player, a style classifier for a
    judge."""
    if card.player not in ("endpoint", "local"):
        return card
    if number is None:
        return AgentCard(name=card.name, player="stylometric")
    voice = list(VOICES)[number % len(VOICES)]
    return AgentCard(
        name=card.name,
        player="persona",
        options={"voice": voice},
        about=f"stands in for {card.player}",
    )
