"""What a user says of mind states (`mirrorenv.population.objectives.mind_state`)."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from mirrorenv.population.objectives.inward import InwardSettings

__all__ = ["MindStateSettings"]


class MindStateSettings(InwardSettings):
    """Of mind states."""

    weight: float = Field(default=0.1, ge=0)
    """Factor on the loss; 0 makes a probe of it."""
    learning_rate: float = Field(default=1e-2, gt=0)
    """Adam step size of the predictor, which has to keep up with its codes."""
    codes: int = Field(default=25, ge=2, le=4096)
    """K; with refit = fsq, K is the product of `levels`."""
    refit: Literal["ema", "warm", "hungarian", "naive", "never", "fsq"] = "ema"
    """How codes follow hidden states: moving averages in every update, k-means from the present
    codes (its means are approached over some updates), fresh k-means numbered alike, fresh k-means
    as it comes, not at all, or finite scalar quantisation without a codebook."""
    warm_up: int = Field(default=5, ge=0)
    """Updates before codes are first fitted, by k-means on the minibatch."""
    refit_every: int = Field(default=100, ge=1)
    """Updates between refits of warm, hungarian and naive."""
    follow: float = Field(default=0.99, ge=0, lt=1)
    """Share of a moving average that stays in each update (ema, fsq)."""
    revive: float = Field(default=0.1, ge=0, lt=1)
    """ema: a code that stands for less than this share of an even share of rows is put on a row of
    the minibatch."""
    settle: int = Field(default=5, ge=0)
    """Updates before a revived code is a target again."""
    levels: tuple[int, ...] = (5, 5)
    """fsq: levels of each coordinate."""
    target: Literal["codes", "random", "shuffled"] = "codes"
    """What is predicted, or a control in its place: random (a fixed random choice among K by the
    observation), shuffled (the codes of other steps)."""
    ahead: int = Field(default=1, ge=0)
    """Steps between what is read and the code that is predicted: 1, 4, 8, or 0 for its own."""
    action: bool | None = None
    """Whether the predictor is told the action; None: if there are actions, and it does not feed
    predictions."""
    predictor: Literal["linear", "mlp", "attention"] = "linear"
    """What predicts; attention pools this and earlier steps before an mlp."""
    hidden: int = Field(default=64, ge=1)
    """Units of the mlp and of attention's."""
    fed: Literal["none", "constant", "random", "true", "predicted"] = "none"
    """What is fed beside the next observation: nothing, one code whatever happens, a pseudo-random
    function of the hidden state (so that replays agree), the code of this step, or the code that
    is predicted for the next."""
    straight_through: bool = False
    """fed = predicted: whether the next step's gradient goes through the fed code to what predicted
    it (straight-through, Bengio et al. 2013: the code forwards, its probabilities backwards)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.fed == "predicted" and self.action:
            raise ValueError("a prediction is fed before there is an action: set action to false")
        if self.fed == "predicted" and self.predictor == "attention":
            raise ValueError(
                "attention reads earlier steps, which are gone when a prediction is "
                "fed: set predictor to linear or mlp"
            )
        if self.straight_through and self.fed != "predicted":
            raise ValueError(
                "straight_through is for fed = predicted: no other code has a gradient"
            )
        if any(count < 2 for count in self.levels) or not self.levels:
            raise ValueError("levels are 2 or more for each coordinate")
        return self

    @property
    def size(self) -> int:
        """K."""
        return math.prod(self.levels) if self.refit == "fsq" else self.codes
