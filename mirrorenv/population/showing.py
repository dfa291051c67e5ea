"""A few episodes of a population, kept so that a report can show the agents at work.

They are held-out episodes and draw from random streams of their own: nothing of a training
changes because somebody will look at it.

Shapes: B episodes, T time, N agents, K lineup slots, P dimensions of a place.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from mirrorenv.envs.about import about, facts
from mirrorenv.envs.base import Actions, ArrayWorld, Observations, Step
from mirrorenv.envs.drawing.canvas import Picture
from mirrorenv.envs.drawing.film import gif
from mirrorenv.envs.random import Seeds
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.envs.wrapper import WorldWrapper
from mirrorenv.mirror import Belief, EpisodeBatch
from mirrorenv.mirror.arrays import AnyArray, Floats64, Ints64
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.population import Population
from mirrorenv.population.reading import observer_evidence, play_held_out
from mirrorenv.population.settings import Draws
from mirrorenv.results.report.shown import MOST_AGENTS, Film, Shown

__all__ = ["show"]

_MOST_STEPS = 200  # of an episode; longer ones are thinned out
_MOST_PICTURES = 40
_WIDEST = 480  # pixels of the longer side of an animation
_STRIP = 5  # pictures
_SECONDS = 5.0  # an animation lasts about as long


def show(
    population: Population,
    one: ArrayWorld,
    few: ArrayWorld,
    *,
    spec: WorldSpec,
    seed: int,
    env_steps: int,
    draws: Draws = "own",
) -> Shown | None:
    """Play a few held-out episodes and keep what a page shows of them.

    Args:
        population: who acts, and whose observers read.
        one: a single copy of the world, filmed if it draws itself.
        few: some more copies, for where agents go.
        spec: of the world.
        seed: of the run.
        env_steps: trained so far.
        draws: of the agents, see `mirrorenv.population.reading.play_held_out`.

    Returns:
        the episodes; None for more agents than a page can show.
    """
    if population.shape.num_agents > MOST_AGENTS:
        return None
    filmed = _Filmed(one)
    record = play_held_out(population, filmed, seed=seed, draws=draws)
    lineups = neighbourhoods_of(population, record, run=seed, episodes=record.episode)
    evidence = observer_evidence(population, record, lineups)[0]  # (T, J, K, K)
    observer = 0
    order = lineups.permutation[0, min(observer, lineups.permutation.shape[1] - 1)]  # (K,)
    candidates = lineups.candidates[0, min(observer, lineups.candidates.shape[1] - 1)]  # (K,)
    # (T, K, K) slots as they were shuffled
    belief = Belief(evidence[:, observer].astype(np.float64)).independent()[:, order]
    more = play_held_out(population, few, seed=seed, draws=draws)
    columns = list(one.place_columns[:2])
    times = _times(one.horizon)
    return Shown(
        env_steps=env_steps,
        about=about(one, spec),
        facts=facts(one),
        agents=tuple(one.agents),
        actions=_by_agent(_actions(record, more)[..., None], _mask(record, more), times)[..., 0],
        choices=_choices(population),
        places=_places(record, more, columns, times) if columns else None,
        observer=observer,
        authors=candidates[order],
        candidates=candidates,
        belief=belief[times],
        film=filmed.film(),
        no_film=filmed.reason,
    )


def _times(horizon: int) -> Ints64:
    return np.unique(np.linspace(0, horizon - 1, min(horizon, _MOST_STEPS)).round().astype(int))


def _mask(*records: EpisodeBatch) -> AnyArray:
    return np.concatenate([one.mask for one in records])


def _actions(*records: EpisodeBatch) -> AnyArray:
    """(B, T, N) the action, or its first number."""
    joined = np.concatenate([one.actions for one in records])
    return joined.reshape(*joined.shape[:3], -1)[..., 0]


def _places(
    record: EpisodeBatch, more: EpisodeBatch, columns: list[int], times: Ints64
) -> Floats64:
    seen = np.concatenate([record.observations, more.observations])[..., columns]
    return _by_agent(seen, _mask(record, more), times)


def _by_agent(values: AnyArray, mask: AnyArray, times: Ints64) -> Floats64:
    """(B, T, N, P) -> (B, N, T', P) float64 at these times; NaN where an agent had finished."""
    kept = np.where(mask[..., None], values, np.nan)[:, times]
    return np.swapaxes(kept, 1, 2).astype(np.float64)


def _choices(population: Population) -> int | None:
    """How many choices the first number of an action has; None for a real number."""
    column = next(iter(population.shape.actions.columns()), None)
    return None if column is None else column[1]


class _Filmed(WorldWrapper):
    """A single copy that keeps a picture of some moments.

    Attributes:
        reason: why there is no picture; empty if there is one.
    """

    def __init__(self, world: ArrayWorld) -> None:
        super().__init__(world)
        self.reason = "" if "rgb_array" in world.render_modes else "this world draws no picture"
        self._pictures: list[Picture] = []
        wanted = min(world.horizon + 1, _MOST_PICTURES)
        self._moments = set(np.linspace(0, world.horizon, wanted).round().astype(int).tolist())
        self._done = 0

    def reset(self, seeds: Seeds) -> Observations:
        start = self.world.reset(seeds)
        self._done = 0
        self._keep()
        return start

    def step(self, actions: Actions) -> Step:
        answer = self.world.step(actions)
        self._done += 1
        self._keep()
        return answer

    def _keep(self) -> None:
        if self.reason or self._done not in self._moments:
            return
        try:
            self._pictures.append(_small(self.world.render(0), _WIDEST))
        except Exception as error:  # a stranger's drawing may raise anything; a training goes on
            self.reason = f"its picture could not be drawn ({type(error).__name__}: {error})"

    def film(self) -> Film | None:
        """The pictures, if all could be drawn and are of one size."""
        pictures = self._pictures
        sizes = {one.shape for one in pictures}
        if self.reason or len(sizes) != 1:
            self.reason = self.reason or "its pictures differ in size"
            return None
        height, width, _ = pictures[0].shape
        fps = min(50.0, max(4.0, len(pictures) / _SECONDS))
        return Film(gif(pictures, fps), _strip(pictures), (width, height))


def _small(picture: Picture, most: int) -> Picture:
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((most, most), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("RGB"), np.uint8)


def _strip(pictures: Sequence[Picture]) -> bytes:
    """A few moments, below each other if they are wide, else side by side."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, _STRIP).round().astype(int))
    height, width, _ = pictures[0].shape
    below = width >= 2 * height
    gap = np.full((6, width, 3) if below else (height, 6, 3), 255, np.uint8)
    parts: list[Picture] = []
    for number in chosen:
        parts += [gap, pictures[number]] if parts else [pictures[number]]
    image = Image.fromarray(np.concatenate(parts, axis=0 if below else 1))
    image.thumbnail((2 * _WIDEST, 2 * _WIDEST))
    out = io.BytesIO()
    image.quantize(128).save(out, format="PNG", optimize=True)
    return out.getvalue()
