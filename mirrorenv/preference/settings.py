"""What a population of voices is made of and how it is tuned: typed settings that need no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mirrorenv.debate.cards import load_card
from mirrorenv.llm.options import BUILT_IN
from mirrorenv.llm.personas import PERSONAS
from mirrorenv.preference.renamed import refuse_old_names
from mirrorenv.strict import StrictModel, gather

__all__ = [
    "CONTROLS",
    "NOTHING_KEPT",
    "BoundSettings",
    "DataSettings",
    "GRPOSettings",
    "LossSettings",
    "MeasureSettings",
    "PlayerSettings",
    "PreferenceSettings",
    "TuningSettings",
    "load_settings",
    "player_of_card",
]

Control = Literal["none", "same_prompt", "shuffled_ownership", "supervised", "reversed"]
CONTROLS: tuple[str, ...] = ("none", "same_prompt", "shuffled_ownership", "supervised", "reversed")
NOTHING_KEPT = (
    "no round was better than the start and inside the bounds, so the voices are those of the "
    "untouched model; set learning.learning_rate lower, loss.supervised or loss.beta higher, or "
    "the bounds wider"
)
"""What a run says whose rounds all broke a bound, or were no better."""
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$"


class PlayerSettings(StrictModel):
    """One voice of the population."""

    name: str = Field(pattern=_NAME)
    """Shown in tables."""
    persona: str = Field(default="", max_length=4000)
    """What the untouched model is told when it writes this player's first texts. Tuned players are
    told nothing."""


def _default_players() -> tuple[PlayerSettings, ...]:
    return tuple(
        PlayerSettings(name=name, persona=PERSONAS[name][0])
        for name in ("pirate", "professor", "teenager")
    )


class DataSettings(StrictModel):
    """Who writes about what, and which topics are kept apart."""

    players: tuple[PlayerSettings, ...] = Field(
        default_factory=_default_players, min_length=2, max_length=16
    )
    """N players; two or more, with different names."""
    topics: tuple[str, ...] = Field(default=("questions",), min_length=1)
    """Topic packs: `questions` of this room, packs of the debate by name, or paths of TOML
    files."""
    most_topics: int = Field(default=0, ge=0)
    """Use only this many topics (0: all)."""
    tuning: float = Field(default=0.2, gt=0, lt=1)
    """Share of topics on which the best round is chosen and the guard looks."""
    held_out: float = Field(default=0.2, gt=0, lt=1)
    """Share of topics that are measured once, at the end."""
    samples: int = Field(default=2, ge=1, le=64)
    """Texts of each player on each topic."""
    tokens: int = Field(default=96, ge=1, le=4096)
    """Most tokens of a text. Small models seldom end by themselves unless the topic asks for
    little, as those of `questions` do."""
    temperature: float = Field(default=0.7, gt=0, le=5)
    """Of every text that is sampled; probabilities of texts are taken at the same temperature."""
    truncated: Literal["drop", "keep", "trim"] = "drop"
    """Texts of the training set that did not end by themselves: `drop` leaves them out, `trim` cuts
    them after their last whole sentence, `keep` uses them as far as they go. The data card counts
    them. Measured texts are never touched."""
    neutral: str = Field(default="You are a helpful assistant.", max_length=4000)
    """The system message of tuned players and of the untouched model that they are compared
    with."""

    @model_validator(mode="after")
    def _can_be_split(self) -> Self:
        names = [player.name for player in self.players]
        if len(set(names)) != len(names):
            raise ValueError(f"two players share a name: {', '.join(names)}")
        if self.tuning + self.held_out >= 1:
            raise ValueError(
                "tuning and held_out leave no topic to train on; their sum must be below 1"
            )
        return self


class LossSettings(StrictModel):
    """What is minimised: own text against another's, on one topic."""

    kind: Literal["sigmoid", "normalised", "reference_free"] = "sigmoid"
    """`sigmoid`: DPO (Rafailov et al. 2023). `normalised`: log-ratios per token, so that length
    does not decide. `reference_free`: no untouched model in the margin."""
    supervised: float = Field(default=0.2, ge=0)
    """Weight of the log-likelihood of one's own text beside it; holds back likelihood
    displacement."""
    beta: float = Field(default=0.1, gt=0)
    """KL weight: how strongly a voice is held to the untouched model."""
    kl_budget: float | None = Field(default=None, gt=0)
    """Nats per token a voice may move from the untouched model; beta is adapted to it after every
    round."""


class TuningSettings(StrictModel):
    """Rounds of: write, pair, a few steps, measure."""

    rounds: int = Field(default=4, ge=1, le=1000)
    """Rounds at most."""
    steps: int = Field(default=8, ge=1)
    """Gradient steps of each player in a round."""
    batch_size: int = Field(default=4, ge=1)
    """Pairs in a step, of all workers together."""
    weights: Literal["adapters", "full"] = "adapters"
    """`adapters`: N low-rank adapters on one model. `full`: N whole models, kept in float32."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """AdamW step size; 1e-5 unless given if whole models are trained."""
    rank: int = Field(default=8, ge=1)
    """Of the low-rank adapters (Hu et al. 2022); alpha is twice the rank."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Which linear layers are adapted, by the end of their names."""
    on_policy: bool = True
    """From the second round on, train on texts that the tuned players wrote a moment ago."""
    patience: int = Field(default=2, ge=1)
    """Rounds without a better one, or rolled back, after which training stops."""
    stop_at: float = Field(default=1.0, gt=0)
    """Recognition of fresh texts on the tuning topics at which training stops; above 1: never."""

    @model_validator(mode="before")
    @classmethod
    def _small_steps_for_whole_models(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("weights") == "full":
            return {"learning_rate": 1e-5, **values}
        return values


class BoundSettings(StrictModel):
    """What counts as still useful; a round outside is rolled back."""

    repetition: float = Field(default=0.05, ge=0)
    """Repeated three-token pieces may rise by this share over the player's first texts."""
    perplexity: float = Field(default=1.5, gt=0)
    """Perplexity under the untouched model, as a multiple of that of the player's first texts."""
    relevance: float = Field(default=0.9, ge=0)
    """Topic relevance, as a multiple of that of the player's first texts."""


class MeasureSettings(StrictModel):
    """How much is measured, and how finely."""

    samples: int = Field(default=1, ge=1, le=64)
    """Fresh texts of each player on each measured topic."""
    relevance_topics: int = Field(default=4, ge=2)
    """Topics that a text is compared on: its own and others."""
    instructions: bool = True
    """Whether the small set of checkable instructions is asked."""


class GRPOSettings(StrictModel):
    """The method `grpo`: a reward from classifiers."""

    generations: int = Field(default=8, ge=2)
    """Texts on each topic that are compared with one another in a step of GRPO (Shao et al.
    2024)."""
    naturalness: float = Field(default=0.1, ge=0)
    """Weight of a text's mean log-probability under the untouched model beside log N + log q."""


class PreferenceSettings(StrictModel):
    """Everything that decides a run's result."""

    model: str = Field(default=BUILT_IN, min_length=1)
    """`smollm2`, a folder that transformers can load, or a .gguf file."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the base model; adapters are float32."""
    seed: int = Field(default=0, ge=0)
    """Of topics, texts, adapters and data order."""
    method: Literal["dpo", "grpo"] = "dpo"
    """`dpo`: own text preferred to another's. `grpo`: a classifier on each voice's hidden states
    learns who wrote what, and being recognised by it is the reward of GRPO."""
    control: Control = "none"
    """`same_prompt`: all players are told the same, only their draws differ. `shuffled_ownership`:
    every training text gets a random owner. `supervised`: the same number of steps on one's own
    text, and no one else's. `reversed`: the other's text is preferred, the direction of SPIN (Chen
    et al. 2024)."""
    data: DataSettings = Field(default_factory=DataSettings)
    loss: LossSettings = LossSettings()
    grpo: GRPOSettings = GRPOSettings()
    learning: TuningSettings = TuningSettings()
    bound: BoundSettings = BoundSettings()
    measure: MeasureSettings = MeasureSettings()

    @property
    def names(self) -> tuple[str, ...]:
        """The players' names in order."""
        return tuple(player.name for player in self.data.players)

    def persona(self, player: int) -> str:
        """What a player is told when it writes its first texts."""
        speaker = 0 if self.control == "same_prompt" else player
        return self.data.players[speaker].persona or self.data.neutral


def player_of_card(path: str | Path) -> dict[str, str]:
    """A player from an agent card of the debate.

    Raises:
        ConfigError: if the card cannot be read.
    """
    card = load_card(path)
    return {"name": card.name, "persona": card.persona}


def load_settings(
    files: Iterable[str | Path] = (),
    overrides: Iterable[str] = (),
    given: Mapping[str, Any] | None = None,
) -> PreferenceSettings:
    """Defaults, then files in order, then what is given, then `a.b=c` overrides.

    Args:
        files: TOML, YAML or JSON files with any part of the settings.
        overrides: strings such as `"learning.rounds=2"`; values are read as YAML.
        given: nested values.

    Raises:
        ConfigError: for an unreadable file, an unknown key or a wrong value.
    """
    values = gather(files, overrides, given or {}, example="learning.rounds=2")
    refuse_old_names(values)
    return PreferenceSettings.checked(values)
