"""What the last step of a mirror test pays, and what it reveals.

Shape legend: J observers, K lineup slots, N agents (J = K = N).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorenv.errors import ConfigError
from mirrorenv.mirror import Belief, check_recognition_score, recognition_worth
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.belief import Decode, check_decode
from mirrorenv.mirror.permutations import MAX_EXACT_AGENTS
from mirrorenv.mirror.recognition import RecognitionScore

__all__ = ["Payment", "Reveal"]


@dataclass(frozen=True)
class Reveal:
    """What came of one recognition phase.

    Attributes:
        paid: (N,) what each agent earns by it.
        about: for each agent what its info holds: the permutation of its lineup, its belief, and
            how well it recognised and was recognised.
    """

    paid: Floats64
    about: list[dict[str, Any]]


@dataclass(frozen=True)
class Payment:
    """How recognition is paid: `weight` times the worth of one's own beliefs, `legibility`
    times the worth of all beliefs about oneself.

    Attributes:
        weight: of one's own recognition, 0 or more.
        legibility: weight of being recognised by all, oneself included.
        score: `log` or `brier`.
        floor: smallest belief that still counts for `log`, in (0, 1/N].
        decode: how evidence is read, `independent` or `marginals`.
    """

    weight: float
    legibility: float
    score: RecognitionScore
    floor: float
    decode: Decode

    def check(self, agents: int, name: str) -> None:
        """Refuse what cannot be paid.

        Args:
            agents: N.
            name: of the environment, for messages.

        Raises:
            ConfigError: if a number is out of range or a name is unknown.
        """
        for argument, value in (("weight", self.weight), ("legibility", self.legibility)):
            if not np.isfinite(value) or value < 0:
                raise ConfigError(f"{name}: {argument} must be 0 or more, got {value}")
        check_recognition_score(self.score, self.floor, agents)
        if check_decode(self.decode) == "marginals" and agents > MAX_EXACT_AGENTS:
            raise ConfigError(
                f"{name}: decode='marginals' is exact for {MAX_EXACT_AGENTS} agents, not {agents}"
            )

    def reveal(self, evidence: Floats64, truth: Ints64) -> Reveal:
        """Score what all observers answered.

        Args:
            evidence: (J, K, N) nats, slot by agent.
            truth: (J, K) who made which slot of each observer's lineup.
        """
        worth = recognition_worth(
            evidence, truth, score=self.score, floor=self.floor, decode=self.decode
        )  # (J, N)
        belief = np.exp(Belief(evidence).log_belief(self.decode))  # (J, K, N)
        recognition = worth.mean(axis=1)  # (J,) of its own beliefs
        legibility = worth.mean(axis=0)  # (N,) of all beliefs about it
        about = []
        for i, order in enumerate(truth):
            own = int(np.flatnonzero(order == i)[0])  # the slot that shows the observer itself
            verdicts = belief[i].argmax(axis=-1)  # (K,)
            about.append(
                {
                    "permutation": order,
                    "belief": belief[i],
                    "recognition": float(recognition[i]),
                    "legibility": float(legibility[i]),
                    "top1": float((verdicts == order).mean()),
                    "found_itself": bool(verdicts[own] == i),
                }
            )
        return Reveal(self.weight * recognition + self.legibility * legibility, about)
