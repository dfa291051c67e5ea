"""What an observer believes: evidence, slot by agent, and the ways to decode it.

Evidence is kept, never thrown away: the same log-likelihoods (or logits) can be read row by row, as
if each trajectory stood alone, or jointly, knowing that every agent made exactly one of them. The
joint reading already used the other rows, so decoding its result a second time would count them
twice; a decoded belief refuses to.

Shape legend: ... any leading axes (batch, time, observers), K lineup slots, N agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, MirrorError, ShapeError
from mirrorenv.mirror._checks import frozen, log_likelihood_array, square
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.permutations import (
    log_permutation_marginals,
    log_permutation_posterior,
    most_probable_permutation,
    permutation_marginals,
)
from mirrorenv.mirror.sampling import sampled_marginals

__all__ = ["Belief", "Decode", "check_decode", "log_softmax"]

Decode = Literal["independent", "marginals"]
"""How evidence becomes probabilities: each slot alone, or exact permutation marginals."""


def check_decode(decode: str) -> Decode:
    """The name as a decode, or a ConfigError that lists the known ones."""
    for known in get_args(Decode):
        if decode == known:
            return known  # type: ignore[no-any-return]
    raise ConfigError(f"decode must be one of {', '.join(get_args(Decode))}, got {decode!r}")


def log_softmax(evidence: Floats64) -> Floats64:
    """Row-normalised logarithms: (..., K, N) evidence to (..., K, N) log probabilities, accurate
    for large values."""
    shifted = evidence - evidence.max(axis=-1, keepdims=True)
    normalised: Floats64 = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


@dataclass(frozen=True, eq=False)
class Belief:
    """K x N evidence on who made which slot, for any number of lineups at once.

    Args:
        evidence: (..., K, N) nats; row k holds log-likelihoods or logits of the agents for slot k,
            each row up to a constant of its own. -inf rules an agent out.
        decoded: True if the evidence already is the log of permutation marginals. Such a belief
            decodes to itself.

    Raises:
        ShapeError: if the evidence holds NaN or +inf, or a row rules out every agent.
    """

    evidence: Floats64  # (..., K, N)
    decoded: bool = False

    def __post_init__(self) -> None:
        evidence = log_likelihood_array("Belief.evidence", self.evidence).copy()
        hopeless = np.isneginf(evidence).all(axis=-1)
        if hopeless.any():
            place = tuple(int(i) for i in np.argwhere(hopeless)[0])
            raise ShapeError(f"Belief.evidence rules out every agent for the slot at index {place}")
        object.__setattr__(self, "evidence", frozen(evidence))

    @property
    def num_slots(self) -> int:
        """K."""
        return int(self.evidence.shape[-2])

    @property
    def num_agents(self) -> int:
        """N."""
        return int(self.evidence.shape[-1])

    def log_belief(self, decode: Decode = "independent") -> Floats64:
        """(..., K, N) log probabilities, each row summing to 1 after exp.

        Args:
            decode: `independent` is the softmax of each row, `marginals` the exact permutation
                marginals (K = N <= 16). A decoded belief returns what it holds, whichever is asked
                for.

        Raises:
            ConfigError: for an unknown decode.
            ShapeError: if marginals are asked of evidence that is not square, or larger than 16.
        """
        if check_decode(decode) == "independent" or self.decoded:
            return log_softmax(self.evidence)
        return log_permutation_marginals(self.evidence)

    def independent(self) -> Floats64:
        """(..., K, N) probabilities of each slot judged alone: softmax of each row."""
        return np.exp(log_softmax(self.evidence))

    def marginals(self) -> Floats64:
        """(..., K, N) exact permutation marginals, doubly stochastic; K = N <= 16."""
        return self.independent() if self.decoded else permutation_marginals(self.evidence)

    def decode(self) -> Belief:
        """The belief that holds its own log marginals. Decoding again changes nothing."""
        return (
            self if self.decoded else Belief(log_permutation_marginals(self.evidence), decoded=True)
        )

    def assignment(self) -> Ints64:
        """(..., K) int64, the most probable permutation: best for getting the whole lineup right.

        Raises:
            MirrorError: if the belief is decoded; marginals do not determine the most probable
                permutation.
        """
        return most_probable_permutation(self._raw("the most probable permutation"))

    def expected_assignment(self) -> Ints64:
        """(..., K) int64, the permutation with the highest expected number right: the assignment on
        the marginals."""
        return most_probable_permutation(self.marginals())

    def log_posterior(self, permutation: npt.ArrayLike) -> Floats64:
        """(...) log posterior probability of whole permutations (..., K).

        Raises:
            MirrorError: if the belief is decoded.
        """
        return log_permutation_posterior(self._raw("the posterior of a permutation"), permutation)

    def sampled_marginals(
        self, samples: int, rng: np.random.Generator
    ) -> tuple[Floats64, Floats64]:
        """Marginals by sampling, and their standard errors (..., K, N): for lineups above 16
        agents."""
        return sampled_marginals(self._raw("sampling"), samples, rng)

    def _raw(self, what: str) -> Floats64:
        square("Belief.evidence", self.evidence)
        if self.decoded:
            raise MirrorError(
                f"Belief: {what} needs the evidence, and this belief holds only its marginals"
            )
        return self.evidence
