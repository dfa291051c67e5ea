"""What is measured of byte agents; `benchmarks/suites/suite.py bytes` runs it.

The closed form of what it costs to be known: of an agent whose bytes have entropy H given what it
saw and said before, the M bytes of one trajectory tell at most M (log 256 - H) nats about it, and
no more than log N. The exact limit reads all trajectories of a lineup, and may know more than that.

Shapes: B episodes, T time, N agents, L bytes, C kinds of trace.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.bare_grid import training
from mirrorenv.bytes.entropy import byte_counts
from mirrorenv.bytes.identity import byte_information_test, source_test
from mirrorenv.bytes.world import ByteMeditation
from mirrorenv.envs import make_batch, spec
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.population import Population, population_shape
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.reading import play_held_out, policy_log_probabilities
from mirrorenv.rllib.settings import RunSettings, load_settings

__all__ = ["Trained", "evenness_of", "known", "learn", "past_self", "random_search", "traces_of"]

Figures = dict[str, float]


class Trained(NamedTuple):
    """A population, itself half way, and how it was trained."""

    population: Population
    before: Population
    settings: RunSettings


def learn(overrides: Sequence[str], seed: int) -> Trained:
    """Train by the bare loop, with the settings of `mirrorenv train --set`."""
    settings = load_settings(overrides=[*overrides, f"seed={seed}"])
    world = make_batch(settings.world, 1, **settings.world_options)
    population = Population(population_shape(world), settings.population, settings.seed)
    before = population
    rows = training(settings, population)
    for row in rows:
        if before is population and row["env_steps"] >= settings.total_steps / 2:
            before = copy.deepcopy(population)
        if row["env_steps"] >= settings.total_steps:
            break
    return Trained(population, before, settings)


def _world(settings: RunSettings, episodes: int) -> ByteMeditation:
    world = make_batch(settings.world, episodes, **settings.world_options)
    assert isinstance(world, ByteMeditation)
    return world


@torch.no_grad()
def known(trained: Trained, episodes: int) -> Figures:
    """Entropy of a byte in nats, who is recognised, and the most that such bytes can tell."""
    population, _, settings = trained
    world = _world(settings, episodes)
    found = evaluate(
        population,
        world,
        world_spec=spec(settings.world, **settings.world_options),
        seed=settings.seed,
        mirror=settings.mirror,
        draws="common",  # as recorded
    )
    record = play_held_out(population, world, seed=settings.seed, part=1, draws="common")
    spoken = population.actor.sequence(torch.from_numpy(record.observations)).distribution
    spoken.log_probability(torch.from_numpy(record.actions))
    entropy = float(spoken.entropy().mean()) / world.length
    told = world.length * world.horizon * max(0.0, math.log(256) - entropy)
    return {
        "entropy": entropy,
        "learned.top1": _value(found.learned.top1),
        "limit.top1": _value(found.limit.top1),
        "limit.information": _value(found.limit.information),
        "closed_form": min(math.log(world.num_agents), told),
        "spent": math.log(256) - entropy,
    }


def _value(found: object) -> float:
    return float(getattr(found, "value", float("nan")))


def past_self(trained: Trained, episodes: int) -> Figures:
    """Does today's policy find the trajectories of the one half way its own?"""
    population, before, settings = trained
    figures = {}
    for name, who in (("past", before), ("present", population)):
        record = play_held_out(
            who, _world(settings, episodes), seed=settings.seed, part=2, draws="common"
        )
        likely = policy_log_probabilities(population, record).sum(1)  # (B, K, N)
        own = likely.argmax(-1) == np.arange(likely.shape[-1])
        figures[f"{name}_top1"] = float(own.mean())
    return figures


def evenness_of(trained: Trained, episodes: int) -> Figures:
    """Evenness of the calls of held-out programs."""
    world = _world(trained.settings, episodes)
    play_held_out(trained.population, world, seed=trained.settings.seed, draws="common")
    found = _calls(world)
    world.close()
    return found


def _calls(world: ByteMeditation) -> Figures:
    from mirrorenv.bytes.entropy import evenness

    calls = world.effects.calls  # (B, N, K)
    even = evenness(calls, calls.shape[-1])
    return {
        "evenness": float(even.mean()),
        "best": float(even.max()),
        "reached": float((calls.sum(-1) > 0).mean()),
    }


def random_search(settings: RunSettings, programs: int, seed: int) -> Figures:
    """The best of uniform programs, as many as training drew."""
    world = _world(settings, 512)
    rng = np.random.default_rng(seed)
    each = world.num_envs * world.num_agents
    found = []
    for _ in range(max(1, programs // each)):
        world.reset(range(world.num_envs))
        world.step(rng.integers(0, 256, (world.num_envs, world.num_agents, world.length)))
        found.append(_calls(world))
    world.close()
    return {
        "evenness": float(np.mean([one["evenness"] for one in found])),
        "best": max(one["best"] for one in found),
        "reached": float(np.mean([one["reached"] for one in found])),
    }


def traces_of(trained: Trained, episodes: int) -> Figures:
    """What traces alone tell: who made them, and whether agents predict their own best.

    An agent's expectation is what its own programs do: ending, number of instructions and places of
    the first four, each by its frequency in half of the episodes. Other agents' traces and its own
    in the other half are scored by it.
    """
    population, _, settings = trained
    world = _world(settings, episodes)
    play_held_out(population, world, seed=settings.seed, part=3, draws="common")
    kinds = _kinds(world)  # (B, T, N, F)
    said = np.stack(world.spoken, axis=1)  # (B, T, N, L)
    world.close()
    half = episodes // 2
    expected = _frequencies(kinds[:half])  # (N, F, C)
    agents = kinds.shape[2]
    score = np.zeros((episodes - half, agents, agents))  # (B, of whom, by whose expectation)
    for reader in range(agents):
        for part in range(kinds.shape[3]):
            score[:, :, reader] += expected[reader, part][kinds[half:, :, :, part]].sum(1)
    own = score[:, range(agents), range(agents)]  # (B, N)
    others = (score.sum(1) - own) / (agents - 1)  # what each reader gives the others
    rng = np.random.default_rng(settings.seed)
    flat = said.reshape(-1, agents, said.shape[-1])
    told = byte_information_test(flat, rng)
    chance = rng.integers(0, 256, flat.shape).astype(np.uint8)
    against = [source_test(flat[:, n], chance[:, n], rng).p_value for n in range(agents)]
    return {
        "trace_top1": float((score.argmax(-1) == np.arange(agents)).mean()),
        "own_trace": float((own - others).mean() / kinds.shape[1]),
        "byte_information": told.value - told.null,
        "identity_p": told.p_value,
        "chance_p": max(against),
        "kinds": float((byte_counts(flat).sum(0) > 0).sum(-1).mean()),
    }


def _kinds(world: ByteMeditation) -> Ints64:
    """(B, T, N, 6) small numbers: ending, instructions, first four places."""
    steps = []
    for done in world.done:
        many = np.minimum(done.instructions, 31)
        places = np.minimum(done.traces[..., 1:5], 62) + 1
        steps.append(np.concatenate([np.stack([done.endings, many], -1), places], -1))
    return np.stack(steps, 1).astype(np.int64)


def _frequencies(kinds: Ints64) -> Floats64:
    """(B, T, N, F) -> log frequencies (N, F, 64), one half added to each count."""
    flat = kinds.reshape(-1, *kinds.shape[2:])  # (U, N, F)
    counts = np.full((*flat.shape[1:], 64), 0.5)
    for agent, part in np.ndindex(flat.shape[1:]):
        counts[agent, part] += np.bincount(flat[:, agent, part], minlength=64)
    found: Floats64 = np.log(counts / counts.sum(-1, keepdims=True))
    return found
