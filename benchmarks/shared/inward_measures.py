"""How well agents are recognised, by whom, and how simple they are: what the study of auxiliaries
measures of a trained population, and differences between arms at matched entropy and return.

Shapes: B episodes, T time, N agents, D features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Discrete
from scipy import stats

from mirrorenv.complexity.weights import effective_rank, root_mean_square
from mirrorenv.envs import make_batch, spec
from mirrorenv.mirror import area_under_roc, noisy_policy
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.population import Population
from mirrorenv.population.actors.base import Actor
from mirrorenv.population.experience import Experience
from mirrorenv.population.held_out import Measured, measure, score
from mirrorenv.population.objectives.self_model import weights_spread
from mirrorenv.population.reading import play_held_out
from mirrorenv.population.settings import PopulationSettings

__all__ = ["adjusted", "measured"]

LEAST_LIMIT = 0.1
"""Nats below which a share of the exact limit says nothing."""
NOISE = 0.2
"""How often a marked agent acts at random."""


def measured(
    population: Population, world: str, options: Mapping[str, Any], seed: int, copies: int
) -> dict[str, float | None]:
    """Figures by name; None where one has no meaning here.

    Args:
        population: trained.
        world: id of its world.
        options: arguments of the world.
        seed: of the run; held-out episodes follow from it.
        copies: held-out episodes.
    """
    batch = make_batch(world, copies, **options)
    known = spec(world, **options)
    found = measure(
        population,
        batch,
        slot_exchangeable=known.slot_exchangeable,
        seed=seed,
        draws="common",  # as recorded
    )
    held_out = play_held_out(population, batch, seed=seed, part=2, draws="common")
    fitted = play_held_out(population, batch, seed=seed, part=3, draws="common")
    output = population.output(_columns(held_out))
    mask = torch.from_numpy(held_out.mask)
    rows = output.hidden["trunk"][mask].detach()
    some = rows[:: max(1, len(rows) // 512)]
    reader = _outsider(population, fitted, seed)
    own = _step_nats(output.distribution, held_out)
    theirs = _read(reader, held_out)
    spread = float(weights_spread(population.actor))
    size = root_mean_square(rows)
    return {
        "return": float(found.record.rewards.sum(1).mean()),
        **_recognition(found),
        "outside_excess": float((own - theirs)[held_out.mask].mean()),
        "entropy": float(-own[held_out.mask].mean()),
        **_marks(population, reader, batch, held_out, seed),
        "weight_spread": spread,
        "activation_rms": size,
        "scaled_spread": spread * size,
        "effective_rank": effective_rank(some - some.mean(0)),
    }


def _recognition(found: Measured) -> dict[str, float | None]:
    """Nats about authors that observers have in the end: about others, about themselves, and as a
    share of the exact limit."""
    inside = np.log(found.lineups.size) + found.in_author[:, -1].mean(0)  # (J, K)
    agents = len(inside)
    mine = float(np.trace(inside)) / agents
    others = float(inside.sum() - np.trace(inside)) / (agents * (agents - 1))
    information = score(found.limit.belief, "marginals").information
    limit = float(information.value) if information is not None else float("nan")
    meaningful = limit >= LEAST_LIMIT
    return {
        "top1": float(found.learned_score().top1.value),
        "by_others": others,
        "by_itself": mine,
        "limit": limit,
        "others_of_limit": others / limit if meaningful else None,
        "itself_of_limit": mine / limit if meaningful else None,
    }


def _columns(record: Experience) -> dict[str, torch.Tensor]:
    batch = {"observations": torch.from_numpy(record.observations)}
    batch["mask"] = torch.from_numpy(record.mask).float()
    if "fed" in record.columns:
        batch["fed"] = torch.from_numpy(record.columns["fed"])
    return batch


@torch.no_grad()
def _step_nats(law: Any, record: Experience) -> Floats64:
    """(B, T, N) log probability of what was done."""
    nats: Floats64 = law.log_probability(torch.from_numpy(record.actions)).double().numpy()
    return nats


def _outsider(population: Population, fitted: Experience, seed: int) -> Actor:
    """A recurrent network that is fitted to what each agent did, and was told who acts."""
    settings = PopulationSettings(actor="gru", hidden=32)
    reader = Population(population.shape, settings, seed + 1).actor
    optimiser = torch.optim.Adam(reader.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(seed)
    seen = torch.from_numpy(fitted.observations)
    done = torch.from_numpy(fitted.actions)
    mask = torch.from_numpy(fitted.mask)
    for _ in range(20):
        for rows in torch.randperm(len(seen), generator=generator).split(32):
            law = reader.sequence(seen[rows]).distribution
            loss = -law.log_probability(done[rows])[mask[rows]].mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return reader


@torch.no_grad()
def _read(reader: Actor, record: Experience) -> Floats64:
    """(B, T, N) what the outsider gives to what was done."""
    return _step_nats(reader.sequence(torch.from_numpy(record.observations)).distribution, record)


# -- the mark test ---------------------------------------------------------------------------------


def _marks(
    population: Population, reader: Actor, world: Any, plain: Experience, seed: int
) -> dict[str, float | None]:
    """Areas under the curve of noticing that an agent acted at random now and then: by its own
    policy and by the outsider. None where actions are no categories."""
    if not isinstance(world.action_space, Discrete):
        return {"mark_by_itself": None, "mark_by_outsider": None}
    marked, chosen = _marked(population, world, seed)
    law = population.output(_columns(marked)).distribution
    found: dict[str, float | None] = {}
    for name, of_marked, of_plain in (
        (
            "mark_by_itself",
            _step_nats(law, marked),
            _step_nats(population.output(_columns(plain)).distribution, plain),
        ),
        ("mark_by_outsider", _read(reader, marked), _read(reader, plain)),
    ):
        areas = [
            area_under_roc(
                -(of_marked * marked.mask).sum(1)[chosen == agent, agent],
                -(of_plain * plain.mask).sum(1)[:, agent],
            ).value
            for agent in range(plain.mask.shape[2])
        ]
        found[name] = float(np.mean(areas))
    return found


@torch.no_grad()
def _marked(population: Population, world: Any, seed: int) -> tuple[Experience, Ints64]:
    """Episodes in which agent b mod N of episode b acts at random now and then; and which (B,)."""
    rng = np.random.default_rng(seed)
    agents = population.shape.num_agents
    episodes = world.num_envs
    chosen = np.arange(episodes) % agents
    seen = world.reset(np.arange(episodes, dtype=np.int64) + (seed + 1) * 1_000_000)
    state = population.actor.initial_state(episodes)
    live = np.ones((episodes, agents), bool)
    parts: dict[str, list[Any]] = {"observations": [], "actions": [], "mask": [], "fed": []}
    for _ in range(world.horizon):
        rows = torch.from_numpy(np.asarray(seen, np.float32).reshape(episodes, agents, -1))
        output, state = population.actor.step(rows, state)
        policy = output.distribution.outputs.double().log_softmax(-1).numpy()  # (B, N, A)
        own = np.arange(episodes), chosen
        policy[own] = noisy_policy(policy[own], NOISE)
        below = rng.random((episodes, agents, 1)) > np.exp(policy).cumsum(-1)[..., :-1]
        parts["observations"].append(rows.numpy())
        parts["actions"].append(below.sum(-1))
        parts["mask"].append(live)
        if "fed" in output.hidden:
            parts["fed"].append(output.hidden["fed"].numpy())
        step = world.step(parts["actions"][-1])
        seen = step.observations
        live = live & ~(np.asarray(step.terminated) | np.asarray(step.truncated))
    made = {name: np.stack(some, 1) for name, some in parts.items() if some}
    fed = {"fed": made["fed"]} if "fed" in made else {}
    rewards = np.zeros(made["actions"].shape, np.float32)
    record = Experience(made["observations"], made["actions"], rewards, made["mask"])
    return record.with_columns(**fed), chosen


# -- differences at matched entropy and return -----------------------------------------------------


def adjusted(differences: npt.ArrayLike, others: Sequence[npt.ArrayLike]) -> dict[str, Any] | None:
    """A paired difference at no difference in other figures: the intercept of a linear regression
    of differences by seed on theirs (analysis of covariance), with its 95 % t interval.

    Args:
        differences: (S,) by seed.
        others: each (S,), in the same order; one without spread is left out.

    Returns:
        `value`, `low`, `high`, `p`, `n`, and `inside`: whether no difference lies within what was
        seen of each of the others, or the value is extrapolated. None with too few seeds.
    """
    y = np.asarray(differences, np.float64)
    used = [np.asarray(one, np.float64) for one in others if np.std(one) > 1e-9]
    design = np.column_stack([np.ones(len(y)), *used])
    freedom = len(y) - design.shape[1]
    if freedom < 2:
        return None
    inverse = np.linalg.pinv(design.T @ design)
    slopes = inverse @ design.T @ y
    error = float(np.sqrt(((y - design @ slopes) ** 2).sum() / freedom * inverse[0, 0]))
    value = float(slopes[0])
    half = float(stats.t.ppf(0.975, freedom)) * error
    p = float(2 * stats.t.sf(abs(value) / error, freedom)) if error > 0 else float(value == 0)
    inside = all(one.min() <= 0.0 <= one.max() for one in used)
    return {
        "value": value,
        "low": value - half,
        "high": value + half,
        "p": p,
        "n": len(y),
        "inside": inside,
    }
