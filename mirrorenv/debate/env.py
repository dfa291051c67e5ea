"""The game as a PettingZoo environment.

Shape legend: N players, K = N texts of a round.
"""

from __future__ import annotations

import string
import unicodedata
from typing import Any, Literal, NoReturn

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.texts import NO_ANSWER
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.verdicts import names, verdict_from_evidence
from mirrorenv.envs.random import fresh_seed
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror import check_recognition_score, recognition_worth
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.recognition import EVIDENCE_BOUND, RecognitionScore, bounded_evidence

__all__ = ["CHARSET", "PHASES", "DebateEnv"]

PHASES = ("speak", "recognise", "plan")
CHARSET = frozenset(
    string.printable[:95] + "\n" + "".join(chr(code) for code in range(0xA0, 0x180) if code != 0xAD)
)
"""Characters of the environment's texts: printable ASCII, line break, Latin letters with
accents."""
_REPLACED = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\t": " "}
    | dict.fromkeys(range(0x2010, 0x2016), "-")
)

Answer = tuple[
    dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]


def within_charset(text: str, longest: int) -> str:
    """The text in :data:`CHARSET`: dashes and quotes simplified, what has no place replaced by
    `?`, then cut."""
    text = unicodedata.normalize("NFC", text[:longest]).translate(_REPLACED)
    return "".join(mark if mark in CHARSET else "?" for mark in text)[:longest]


class DebateEnv(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """Every player writes on a topic; the texts are shuffled; who wrote which, oneself included?

    ## Description
    A round has the phases speak, recognise and (unless `plan` is off) plan. In the first
    every player writes a text on the topic. Then each player is shown all texts of the round in an
    order of its own, without names, and answers with evidence, which a proper score pays. Then the
    authors are revealed, and each player may write a note to itself, which is all that a note is:
    it comes back in the history. The same rules are played by language models in `mirrorenv debate
    run`.

    ## Agents
    `num_players` of them, `P1`, `P2`, .... All act in every step.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | `phase` | Discrete(3) | int64 | 0 speak, 1 recognise, 2 plan | |
    | `topic` | Text | str | at most 400 characters | |
    | `history` | Text | str | latest `history_characters` of what is known | |
    | `lineup` | N x Text | tuple of str | shown texts by slot; empty in other phases | |

    ## Action
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | `text` | Text | str | at most `characters` characters; ignored in the phase recognise | |
    | `evidence` | (N, N) | float32 | -10 to 10, slot by player; ignored in other phases | nats |

    Texts hold printable ASCII, line breaks and accented Latin letters; the environment replaces
    anything else by `?`. Any action of the space is legal in any phase.

    ## Reward
    In the phase recognise, player i receives `weight` times the mean worth of its evidence on the
    texts of others, plus `self_weight` times the worth on its own, plus `legibility` times the
    mean worth of the others' evidence on its text; see :func:`mirrorenv.mirror.recognition_worth`.
    Each is zero at chance, and with the log score lies in [log N + log floor, log N]. All other
    phases pay 0.

    ## Episode end
    Terminated after `rounds` rounds.

    ## Arguments
    `preset` (`"default"`, `"local"` or `"original"`) and any field of
    :class:`mirrorenv.debate.DebateSettings` on top of it, e.g. `num_players=3, rounds=2,
    topics="preferences"`; `weight` (1), `self_weight` (0), `legibility` (0), `score`
    (`"log"` or `"brier"`), `floor` (1e-4), `characters` (600), `history_characters`
    (8000), `run` (0; lineups are shuffled from it and the episode's seed), `render_mode`
    (`"ansi"`). Judges, a paraphrasing writer, reading again and more than one planning step
    belong to the tournament and are left out here.

    ## What carries identity, what leaks
    Only what is written. With `own_text="kept"` nothing prevents a player from remembering its
    own text, so its own item is string comparison; that is why it is weighted apart. Texts may name
    their authors: that is legal, and the tournament's audit says where it happens.

    ## Version history
    v0: first version.
    """

    def __init__(
        self,
        *,
        preset: str = "default",
        weight: float = 1.0,
        self_weight: float = 0.0,
        legibility: float = 0.0,
        score: RecognitionScore = "log",
        floor: float = 1e-4,
        characters: int = 600,
        history_characters: int = 8000,
        run: int | str = 0,
        render_mode: Literal["ansi"] | None = None,
        **settings: Any,
    ) -> None:
        self.name = "mirrorenv/debate-v0"
        for argument, value in (
            ("weight", weight),
            ("self_weight", self_weight),
            ("legibility", legibility),
        ):
            if not np.isfinite(value) or value < 0:
                raise ConfigError(f"{self.name}: {argument} must be 0 or more, got {value}")
        for argument, size, least in (
            ("characters", characters, 16),
            ("history_characters", history_characters, 0),
        ):
            if (
                isinstance(size, bool)
                or not isinstance(size, int)
                or not least <= size <= 1_000_000
            ):
                raise ConfigError(
                    f"{self.name}: {argument} must be a whole number from {least}, got {size!r}"
                )
        if render_mode not in (None, "ansi"):
            raise ConfigError(
                f"{self.name}: render_mode {render_mode!r} is unknown; known: ['ansi']"
            )
        self.settings = _settings_of_env(preset, settings, characters)
        count = self.settings.num_players
        check_recognition_score(score, floor, count)
        self.weight = float(weight)
        self.self_weight = float(self_weight)
        self.legibility = float(legibility)
        self.score = score
        self.floor = float(floor)
        self.run = run
        self.render_mode = render_mode
        self.characters = int(characters)
        self.history_characters = int(history_characters)
        self.topics = load_topics(self.settings.topics)
        self.possible_agents = names(count)
        self.agents: list[str] = []
        self.max_cycles = self.settings.rounds * (3 if self.settings.plan else 2)
        self.metadata = {"name": "debate_v0", "render_modes": ["ansi"], "is_parallelizable": True}
        self._set_spaces(count)
        self._generator = np.random.default_rng(fresh_seed())
        self._seed = 0
        self._debate = Debate(self.settings, self.topics, run=run)

    def _set_spaces(self, count: int) -> None:
        def text(longest: int) -> spaces.Text:
            return spaces.Text(max_length=longest, min_length=0, charset=CHARSET)

        def box() -> spaces.Box:
            return spaces.Box(-EVIDENCE_BOUND, EVIDENCE_BOUND, (count, count), np.float32)

        def observed() -> spaces.Dict:
            return spaces.Dict(
                {
                    "phase": spaces.Discrete(len(PHASES)),
                    "topic": text(400),
                    "history": text(max(1, self.history_characters)),
                    "lineup": spaces.Tuple([text(self.characters) for _ in range(count)]),
                }
            )

        self.observation_spaces = {agent: observed() for agent in self.possible_agents}
        self.action_spaces = {
            agent: spaces.Dict({"text": text(self.characters), "evidence": box()})
            for agent in self.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Dict:
        """What `agent` sees, in every phase."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Dict:
        """What `agent` may answer, in every phase."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start a game.

        Args:
            seed: lineups follow from it and `run`; None draws one, which follows from the last
                seed given.
            options: none are known; accepted because PettingZoo passes them.
        """
        if seed is not None:
            self._generator = np.random.default_rng(seed)
        self._seed = int(self._generator.integers(2**31)) if seed is None else int(seed)
        self._debate = Debate(self.settings, self.topics, run=self.run, game=self._seed)
        self.agents = list(self.possible_agents)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Answer:
        """Take every player's answer to the current phase.

        Args:
            actions: for every agent `{"text": str, "evidence": (N, N)}`.

        Raises:
            WorldError: if the game is over, an agent's action is missing, or it lies outside of its
                space.
        """
        if not self.agents:
            raise WorldError(f"{self.name}: the game is over, call reset() before step()")
        if actions.keys() != set(self.agents):
            missing = sorted(set(self.agents) - actions.keys())
            extra = sorted(actions.keys() - set(self.agents))
            raise WorldError(
                f"{self.name}: one action for each agent, missing {missing}, unknown {extra}"
            )
        rewards = dict.fromkeys(self.agents, 0.0)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        if self._debate.phase == "recognise":
            rewards, infos = self._recognise(
                np.stack([self._evidence(actions, agent) for agent in self.agents])
            )
        else:
            texts = [self._text(actions, agent) for agent in self.agents]
            (self._debate.speak if self._debate.phase == "speak" else self._debate.plan)(texts)
        over = self._debate.over
        observations = self._observations()
        flags = dict.fromkeys(self.agents, over), dict.fromkeys(self.agents, False)
        if over:
            for agent in self.agents:
                infos[agent]["seed"] = self._seed  # withheld until now: the orders follow from it
            self.agents = []
        return observations, rewards, *flags, infos

    def render(self) -> str | None:
        """What was said so far, with the authors of the rounds that are over; None without a render
        mode."""
        return self._history(0, whole=True) if self.render_mode == "ansi" else None

    def state(self) -> NoReturn:
        """There is no state as an array."""
        raise NotImplementedError(f"{self.name} is a text world: its state is no array")

    def close(self) -> None:
        """Nothing is held open."""

    def aec(self) -> AECEnv:
        """The same game turn by turn, by PettingZoo's conversion."""
        return parallel_to_aec(self)

    # -- answers -----------------------------------------------------------------------------------

    def _recognise(self, evidence: Floats64) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
        # (J, K)
        truth = np.stack([reveal.permutation for reveal in self._debate.rounds[-1].reveals])
        self._debate.recognise([verdict_from_evidence(table) for table in evidence])
        worth = recognition_worth(evidence, truth, score=self.score, floor=self.floor)  # (J, N)
        own = np.diagonal(worth)  # (N,)
        others = len(own) - 1
        reading = (worth.sum(axis=1) - own) / others  # (N,)
        legible = (worth.sum(axis=0) - own) / others  # (N,)
        paid = self.weight * reading + self.self_weight * own + self.legibility * legible
        infos = {
            agent: {
                "mirror": {
                    "permutation": truth[i],
                    "reading": float(reading[i]),
                    "self": float(own[i]),
                    "legibility": float(legible[i]),
                }
            }
            for i, agent in enumerate(self.agents)
        }
        return dict(zip(self.agents, paid.tolist(), strict=True)), infos

    def _text(self, actions: dict[str, Any], agent: str) -> str:
        given = self._part(actions, agent, "text")
        if not isinstance(given, str):
            self._fail(f"the text is a {type(given).__name__}", agent)
        return within_charset(given, self.characters)

    def _evidence(self, actions: dict[str, Any], agent: str) -> Floats64:
        try:
            return bounded_evidence(
                self._part(actions, agent, "evidence"), len(self.possible_agents)
            )
        except ShapeError as error:
            self._fail(str(error), agent, error)

    def _part(self, actions: dict[str, Any], agent: str, part: str) -> Any:
        try:
            return actions[agent][part]
        except (KeyError, IndexError, TypeError) as error:
            self._fail("the action must be a dictionary with 'text' and 'evidence'", agent, error)

    def _fail(self, problem: str, agent: str, cause: Exception | None = None) -> NoReturn:
        where = f"{self.name}, seed {self._seed}, round {self._debate.number}, agent '{agent}'"
        raise WorldError(f"{where}: {problem}") from cause

    # -- observations ------------------------------------------------------------------------------

    def _observations(self) -> dict[str, Any]:
        count = len(self.possible_agents)
        phase = (
            self._debate.phase if not self._debate.over else PHASES[2 if self.settings.plan else 1]
        )
        answer = {}
        for i, agent in enumerate(self.possible_agents):
            lineup = (
                self._debate.view(i).lineup
                if phase == "recognise" and not self._debate.over
                else ()
            )
            shown = tuple(within_charset(text, self.characters) for text in lineup)
            answer[agent] = {
                "phase": np.int64(PHASES.index(phase)),
                "topic": within_charset(self._debate.rounds[-1].topic, 400),
                "history": self._history(i),
                "lineup": shown or ("",) * count,
            }
        return answer

    def _history(self, player: int, whole: bool = False) -> str:
        view = self._debate.view(player)
        lines = (
            [f"You are {names(len(self.possible_agents))[player]}."]
            if view.me is not None and not whole
            else []
        )
        for past in view.record:
            lines.append(f"Round {past.number + 1}: {past.topic}")
            for slot, text in enumerate(past.texts):
                who = names(len(past.texts))[past.authors[slot]] if past.authors else "somebody"
                lines.append(f"{who}: {text or NO_ANSWER}")
        if view.notes and not whole:
            lines.append(f"Your notes: {view.notes}")
        text = "\n".join(lines)
        if whole:
            return text
        return within_charset(text, len(text))[max(0, len(text) - self.history_characters) :]


def _settings_of_env(name: str, given: dict[str, Any], characters: int) -> Any:
    if given.get("show") == "paraphrased":
        raise ConfigError(
            "mirrorenv/debate-v0: show='paraphrased' needs a writer; use the tournament, or 'plain'"
        )
    wanted = preset(name, {"longest_text": max(16, min(characters, 100_000)), **given})
    plan = ("notes",) if wanted.plan else ()
    return wanted.model_copy(update={"judges": 0, "plan": plan, "reread_rounds": 0})
