"""Checks of the way into training: the batch of arrays, against the PettingZoo face and against its
contract."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from mirrorenv.envs.base import ArrayWorld, Step
from mirrorenv.envs.checks.compare import difference
from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check
from mirrorenv.envs.checks.validation import Guard
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.errors import MirrorError

_ROWS = 3
_CRASHES = ("crash", "hang", "answer-form")


@check(
    "batch-contract",
    after=_CRASHES,
    remedy="See mirrorenv.envs.ArrayWorld: shapes, dtypes, ranges, frozen rows.",
)
def batch_contract(evidence: Evidence) -> Iterator[Seen]:
    """A world written as a batch keeps the array contract: shapes, dtypes, ranges, flags, an end at
    the horizon."""
    if not evidence.subject.is_array:
        return
    world = evidence.subject.batch(_ROWS)
    policy = UniformPolicy(world, evidence.seeds[0])
    guard = Guard(world, evidence.subject.name)
    seeds = [evidence.seeds[0] + row for row in range(_ROWS)]
    try:
        now = world.reset(seeds)
        step = None
        guard.reset(now, seeds)
        for t in range(min(world.horizon, evidence.patience.max_steps)):
            step = world.step(policy(now, t))
            guard.step(step)
            now = step.observations
    except MirrorError as error:
        yield Seen(str(error))
        return
    if (
        step is not None
        and guard.steps == world.horizon
        and not (step.terminated | step.truncated).all()
    ):
        yield Seen(
            f"some agents have not ended after {world.horizon} steps, its horizon",
            step=world.horizon,
        )


@check(
    "batch-agrees",
    after=(*_CRASHES, "seed", "batch-contract"),
    remedy="Let row b depend on seeds[b] and its own actions only: draw from self.random, never "
    "from one generator for all rows.",
)
def batch_agrees(evidence: Evidence) -> Iterator[Seen]:
    """Row b of a batch plays what a single copy with its seed plays."""
    if not evidence.subject.is_array:
        return
    seeds = [evidence.seeds[0] + row for row in range(_ROWS)]
    together = evidence.subject.batch(_ROWS)
    alone = [evidence.subject.batch(1) for _ in seeds]
    first = together.reset(seeds)
    policy = UniformPolicy(together, evidence.seeds[0])
    for row, (world, seed) in enumerate(zip(alone, seeds, strict=True)):
        if found := difference(first[row], world.reset([seed])[0]):
            yield Seen(
                f"row {row} of {_ROWS} against a single copy, observations: {found}",
                step=0,
                seed=seed,
            )
            return
    for t in range(min(together.horizon, evidence.patience.max_steps)):
        actions = policy(first, t)
        steps = [world.step(actions[row : row + 1]) for row, world in enumerate(alone)]
        if parted := _rows_differ(together, together.step(actions), steps):
            row, what = parted
            yield Seen(what, step=t + 1, seed=seeds[row])
            return


@check(
    "not-trainable",
    severity="warning",
    after=_CRASHES,
    remedy="Do what the message says, or pass the option with --set; the same options go to train.",
)
def not_trainable(evidence: Evidence) -> Iterator[Seen]:
    """It becomes a batch of arrays as it is, so that it can be trained in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            evidence.subject.batch(2).reset([evidence.seeds[0], evidence.seeds[0] + 1])
        except MirrorError as error:
            yield Seen(str(error))


def _rows_differ(world: ArrayWorld, batch: Step, singles: list[Step]) -> tuple[int, str] | None:
    for name, whole, parts in zip(Step._fields, batch, zip(*singles, strict=True), strict=True):
        for row, part in enumerate(parts):
            if found := difference(np.asarray(whole[row]), np.asarray(part[0])):
                return row, f"row {row} of {world.num_envs} against a single copy, {name}: {found}"
    return None
