"""Agents learn what a tree of thought concludes from their own utterances.

Every utterance of a minibatch is the root of a tree whose children change one byte; the best text
of the tree is what the agent learns to say, by cross-entropy, beside its policy gradient.

Shape legend: B episodes, T time, N agents, L bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from mirrorenv.bytes.entropy import byte_entropy, spatial_entropy
from mirrorenv.bytes.evaluations import DIMENSIONS, RememberedScore
from mirrorenv.bytes.set_points import EditedUtterances, Octets
from mirrorenv.bytes.sinks import open_sinks
from mirrorenv.bytes.thoughts import Propose, Score, Thought, shown, think
from mirrorenv.memory.stores import store_at
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.population.objectives.base import Batch, ObjectiveSettings, register_objective

__all__ = ["ConclusionSettings", "Conclusions"]

_SCORES: dict[str, Callable[[Octets], Floats64]] = {
    "byte_entropy": byte_entropy,
    "spatial_entropy": spatial_entropy,
}


class ConclusionSettings(ObjectiveSettings):
    """How far is thought, and after what."""

    scorer: Literal["byte_entropy", "spatial_entropy"] = "byte_entropy"
    """What a thought is worth: a reward that the text alone decides."""
    toward: float = Field(default=1.0, ge=0, le=1)
    """The value that counts as best."""
    children: int = Field(default=3, ge=1, le=16)
    """Of each thought."""
    beam: int = Field(default=2, ge=1, le=16)
    """Thoughts of a level that are followed."""
    depth: int = Field(default=2, ge=1, le=8)
    """Levels."""
    sinks: tuple[str, ...] = ()
    """Where the best conclusion of each iteration goes: apprise, speech, speech:FOLDER."""
    evaluations: str = ""
    """A store, a file or an address, in which the worth of every thought is kept and looked up."""


@register_objective("conclusions")
class Conclusions(EditedUtterances):
    """Cross-entropy to what was concluded.

    Raises:
        ConfigError: where the host does not speak.
    """

    Settings = ConclusionSettings
    settings: ConclusionSettings
    _best: Thought | None = None

    def learn(self, experience: Batch) -> None:
        """See `Objective.learn`: the best conclusion since the last time is told."""
        if self._best is not None:
            for sink in open_sinks(self.settings.sinks):
                sink.tell(f"A conclusion worth {self._best.score:.3f}", shown(self._best.text))
        self._best = None

    def edited(self, said: Octets, rng: np.random.Generator) -> Octets:
        """See `EditedUtterances.edited`."""
        chosen = self.settings

        def propose(text: bytes, most: int) -> list[bytes]:
            return [_changed(text, rng) for _ in range(most)]

        def score(texts: Sequence[bytes]) -> list[float]:
            rows = np.stack([np.frombuffer(text, np.uint8) for text in texts])
            gaps: Floats64 = np.abs(_SCORES[chosen.scorer](rows) - chosen.toward)
            return [-float(gap) for gap in gaps]

        if chosen.evaluations:
            with store_at(chosen.evaluations, DIMENSIONS) as store:
                return self._concluded(said, propose, RememberedScore(score, store))
        return self._concluded(said, propose, score)

    def _concluded(self, said: Octets, propose: Propose, score: Score) -> Octets:
        chosen = self.settings
        shape = {"children": chosen.children, "beam": chosen.beam, "depth": chosen.depth}
        concluded = said.copy()
        for place in np.ndindex(said.shape[:3]):
            best = think(said[place].tobytes(), propose, score, **shape).best
            concluded[place] = np.frombuffer(best.text, np.uint8)
            if chosen.sinks and (self._best is None or best.score > self._best.score):
                self._best = best
        return concluded


def _changed(text: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(text)))
    return text[:place] + bytes([int(rng.integers(256))]) + text[place + 1 :]
