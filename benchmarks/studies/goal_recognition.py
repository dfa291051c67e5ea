"""Goal agents take the mirror test in graph-v0: paths and plans, and what identity costs in steps.

Four agents, one map for all, learned by hindsight; eight goals in sequence, equal for all. Among
equally short ways a learned preference decides. Last population, no best-of, on seeds that no
setting was chosen on (100 to 102 were). Conditions:

- weight 1, and weight 0, where nothing teaches the preferences;
- noise: paid as much as the mirror pays, at random: how far agents part without being known;
- weight 0, taught by the return: what its advantages, which are noise among equal ways, do;
- price: longer ways are not held back as firmly, and each step costs; weights from 0 to 1.

Beside them: the exact limit, the ceiling of top-1 for shortest paths only, whether an agent knows
its own plan before it is walked better than others do, and its trajectories of earlier checkpoints.

    python benchmarks/studies/goal_recognition.py [--only "weight 1"] [--json FILE]
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared import grid
from benchmarks.shared.bare_grid import run_bare, trained
from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.graph import Graph
from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.picture import find
from mirrorenv.goals.plans import step_laws
from mirrorenv.mirror import Belief, EpisodeBatch, score_belief
from mirrorenv.population.experience import play, world_seeds
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.population import Population
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)

WORLD = ["world=mirrorenv/graph-v0", "population.actor=goals"]
BASE = [*WORLD, "total_steps=250000", "learning.learning_rate=3e-3", "learning.entropy=0"]
PRICE = [
    *(*WORLD, "total_steps=120000", "learning.learning_rate=3e-3", "learning.entropy=0"),
    'population.actor_options={"preference": "return", "firmness": 3}',
    'world_options={"step_cost": 0.01}',
]
CONDITIONS = {
    "weight 1": BASE,
    "weight 0": [*BASE, "mirror.weight=0"],
    "noise": [*BASE, "mirror.control=random_reward"],
    "taught by the return": [
        *(*BASE, "mirror.weight=0"),
        'population.actor_options={"preference": "return"}',
    ],
}
CONDITIONS |= {
    f"price {weight:g}": [*PRICE, f"mirror.weight={weight}"]
    for weight in (0, 0.01, 0.03, 0.1, 0.3, 1)
}
SMOKE = ["total_steps=6000", "learning.episodes_per_iteration=32"]
EARLIER = (0.25, 0.5, 0.75)
WATCHED = (0, 16, 256)
EPISODES = 256
SEED = 57_000_000
Row = dict[str, float]


def measured(path: Path) -> Row:
    """Figures of a run's last population, on held-out episodes."""
    population, settings = trained(path)
    world = make_batch(settings.world, EPISODES, **settings.world_options)
    assert isinstance(world, Graph)
    found = find(population, world, SEED, draws="common")  # as recorded
    learned = read(population, play_held_out(population, world, seed=SEED, draws="common"))
    row = {
        "success": found.success,
        "over_optimum": found.over_optimum,
        "top1_joint": top1(learned, "marginals"),
        "top1": top1(learned, "independent"),
        "limit_path": found.path,
        "limit_plan": found.plan,
        "limit_both": found.both,
        "ceiling": found.ceiling,
    }
    row |= own_plans(population, world)
    for share in EARLIER:
        earlier, _ = trained(path / f"after-{share:g}")
        record = play_held_out(earlier, world, seed=SEED, part=1, draws="common")
        exact = (policy_log_probabilities(population, record) * record.mask[..., None]).sum(1)
        row[f"after_{share:g}"] = top1(read(population, record), "marginals")
        row[f"after_{share:g}_limit"] = top1(exact[:, None], "marginals")
    return row


def read(population: Population, record: Any) -> np.ndarray:
    """(B, J, K, N) nats of the trained observers at the end, slots in author order."""
    lineups = neighbourhoods_of(population, record, run=SEED, episodes=record.episode)
    return observer_evidence(population, record, lineups)[:, -1].astype(np.float64)


def own_plans(population: Population, world: Graph) -> Row:
    """Whether an agent knows its own plan better than others do, before anybody walked it.

    Two kinds of readers: the trained observers, to whom a plan is shown step by step as if it had
    been walked; and an agent that knows its own preferences exactly, and those of others from so
    many episodes that it watched.
    """
    actor = population.actor
    assert isinstance(actor, GoalActor)
    # on a map that is known, a plan is a walk in the mind: drawn by the same law, and never taken
    plans = drawn(population, world, 3)
    row = {f"heads_{who}": value for who, value in self_and_others(read(population, plans)).items()}
    laws = step_laws(actor)
    knows = replayed(laws, plans)  # (B, K, N)
    seen = drawn(population, world, 5)
    agents = np.arange(world.num_agents)
    for watched in WATCHED:
        guessed = replayed(expected(actor, seen, watched), plans)
        both = np.repeat(guessed[:, None], world.num_agents, 1)  # (B, J, K, N)
        both[:, agents, :, agents] = np.moveaxis(knows, 2, 0)
        for who, value in self_and_others(both).items():
            row[f"watched_{watched}_{who}"] = value
    return row


def drawn(population: Population, world: Graph, part: int) -> EpisodeBatch:
    """Episodes of tasks of their own."""
    episodes = np.arange(EPISODES, dtype=np.int64) + part * EPISODES
    record = play(
        world, population, world_seeds(SEED, episodes), torch.Generator().manual_seed(part)
    )
    return record.with_columns(episode=episodes)


def steps_of(record: EpisodeBatch, nodes: int) -> tuple[np.ndarray, ...]:
    """Goal, node and next node of every step, (B, T, K)."""
    here = record.observations[..., :nodes].argmax(-1)
    goal = record.observations[..., nodes : 2 * nodes].argmax(-1)
    return goal, here, record.actions


def replayed(laws: np.ndarray, record: EpisodeBatch) -> np.ndarray:
    """(B, K, N) nats of every trajectory by every law (N, V goal, V node, V next)."""
    each = np.log(laws + 1e-12)[(slice(None), *steps_of(record, laws.shape[1]))]  # (N, B, T, K)
    return np.moveaxis((each * record.mask).sum(2), 0, -1)


def expected(actor: GoalActor, seen: EpisodeBatch, watched: int) -> np.ndarray:
    """The laws that who watched so many episodes expects: one step as the map has it without a
    preference, and what was seen."""
    plain = copy.deepcopy(actor)
    with torch.no_grad():
        for liked in (plain.liked, plain.liked_from, plain.liked_towards):
            liked.zero_()
    laws = step_laws(plain)
    goal, here, there = steps_of(seen, actor.num_nodes)
    for agent, law in enumerate(laws):
        live = seen.mask[:watched, :, agent]
        places = tuple(part[:watched, :, agent][live] for part in (goal, here, there))
        np.add.at(law, places, 1.0)
    return np.asarray(laws / laws.sum(-1, keepdims=True))


def self_and_others(seen: np.ndarray) -> Row:
    """How well readers tell an agent's trajectories from others': the share of its own that is
    given to it, minus the share of others' that is. Chance is 0; who takes everything for its own
    has 0, too. By the agent itself, and by the others.

    Args:
        seen: (B, J, K, N) nats, slots in author order.
    """
    agents = seen.shape[-1]
    given = seen.argmax(-1)[..., None] == np.arange(agents)  # (B, J, K, N)
    share = given.mean(0)  # (J, K, N)
    hits = np.einsum("jnn->jn", share)
    false = (share.sum(1) - hits) / (agents - 1)
    told = hits - false  # (J, N)
    own = np.eye(agents, dtype=bool)
    return {"self": float(told[own].mean()), "others": float(told[~own].mean())}


def top1(evidence: np.ndarray, decode: str) -> float:
    """Top-1 of evidence (B, J, K, N) whose slots stand in author order."""
    belief = Belief(evidence)
    truth = np.broadcast_to(np.arange(evidence.shape[-1]), evidence.shape[:-1])
    found = score_belief(belief, truth, decode=decode).top1
    assert found is not None
    return float(found.value)


def main() -> None:
    """Run what is missing and print the table."""
    script = grid.GridScript(__doc__, seeds=10, out="goal_recognition")
    script.set_defaults(first_seed=10)
    options = script.parse()
    content: dict[str, Any] = {}
    for name, paths in run_bare(CONDITIONS, options, SMOKE, EARLIER).items():
        if not paths:
            continue
        found = [measured(path) for path in paths]
        columns = {key: [one[key] for one in found] for key in found[0]}
        content[name] = {key: grid.summary(values) for key, values in columns.items()}
        content[name]["seeds"] = [int(path.name.removeprefix("seed")) for path in paths]
        lines = [[key, grid.interval(values)] for key, values in columns.items()]
        for key in ("top1", "top1_joint"):
            content[name][f"{key}_at_least_0.9"] = sum(value >= 0.9 for value in columns[key])
            count = f"{content[name][f'{key}_at_least_0.9']} of {len(paths)}"
            lines.append([f"{key} at least 0.9", count])
        grid.print_table(f"{name}, {len(paths)} seeds", ["figure", "mean"], lines)
        script.save(content, so_far=True)
    script.save(content)


if __name__ == "__main__":
    main()
