"""Who goes where in Pac-Men: what a weak population does, and what a strong one does otherwise.

Reads the last checkpoints of `benchmarks/studies/pacmen_labour.py` and plays fresh episodes. For
every run: the team's return and its specialist fraction; how many of the four rooms an agent's dots
come from on average (effective rooms, exp of the entropy of its dots over rooms: 1 is a specialist,
4 eats everywhere); how many rooms the team as a whole eats from; the information in nats, out of
log 4, between agent and room; and the dots an agent eats in an episode. With `--verbose` also who
ate how much in which room. The specialist fractions by checkpoint say when a run got there.

    python benchmarks/studies/pacmen_rooms.py [--out runs/pacmen_labour] [--episodes 64]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import numpy.typing as npt

from benchmarks.shared.grid import figure, print_table, rows_of
from benchmarks.shared.runner import Script
from benchmarks.studies.pacmen_labour import fraction
from mirrorenv.envs import make_batch
from mirrorenv.envs.episodes import pure
from mirrorenv.envs.worlds.pacmen import DOT, EAT, Pacmen
from mirrorenv.population.acting import PopulationPolicy
from mirrorenv.population.checkpoint import load_population
from mirrorenv.results import RunFolder, checkpoint_folder

Floats = npt.NDArray[np.float64]


def dots_by_room(policy: Any, world: Pacmen, seed: int) -> tuple[Floats, float]:
    """(N, 4) dots eaten by each agent in each room, mean over the batch, and the team's mean
    return."""
    boxes = world.map.dot_boxes  # (rooms, cells)
    room_of = np.full(world.map.free.size, -1)
    for room, box in enumerate(boxes):
        room_of[box] = room
    acting = pure(policy)
    state = acting.initial_state(world.num_envs)
    now = world.reset(seed + np.arange(world.num_envs))
    eaten = np.zeros((world.num_agents, len(boxes)))
    total = 0.0
    for t in range(world.horizon):
        actions, state = acting.step(now, state, t)
        here = world.positions  # (B, N)
        there = np.take_along_axis(world.grid, here, axis=1) == DOT
        rows, agents = np.nonzero(there & (actions == EAT))
        cells = here[rows, agents]
        # agents that eat one dot together share it
        share = 1.0 / np.array(
            [np.sum((rows == r) & (cells == c)) for r, c in zip(rows, cells, strict=True)] or [1.0]
        )
        np.add.at(eaten, (agents, room_of[cells]), share if len(rows) else 0.0)
        step = world.step(actions)
        now = step.observations
        total = total + float(step.rewards[:, 0].mean())
    return eaten / world.num_envs, total


def effective(counts: Floats) -> float:
    """exp of the entropy of counts: 1 if all lies in one place."""
    share = counts[counts > 0] / counts.sum() if counts.sum() else np.ones(1)
    return float(np.exp(-(share * np.log(share)).sum()))


def information(counts: Floats) -> float:
    """Mutual information of row and column in nats."""
    joint = counts / max(counts.sum(), 1e-12)
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    live = joint > 0
    return float((joint[live] * np.log(joint[live] / product[live])).sum())


def main() -> None:
    """Play and print."""
    script = Script(__doc__, json=True, seed=10_000_000)
    script.add_argument("--out", type=Path, default=Path("runs/pacmen_labour"))
    script.add_argument("--episodes", type=int, default=64)
    script.add_argument(
        "--verbose", action="store_true", help="also print who ate how much in which room"
    )
    options = script.parse()
    rows = []
    content = {}
    runs = sorted(path.parent for path in options.out.glob("*/seed*/run.json"))
    for run in (path for path in runs if RunFolder.open(path).status == "finished"):
        population, about = load_population(checkpoint_folder(run))
        world = make_batch(about["world"], options.episodes, **about["world_options"])
        assert isinstance(world, Pacmen)
        eaten, earned = dots_by_room(
            PopulationPolicy(population, options.seed), world, options.seed
        )
        name = f"{run.parent.name} {run.name}"
        found = {
            "fraction": fraction(earned),
            "rooms_per_agent": float(np.mean([effective(row) for row in eaten])),
            "rooms_of_the_team": effective(eaten.sum(0)),
            "information": information(eaten),
            "dots_per_agent": float(eaten.sum() / world.num_agents),
        }
        content[name] = {**found, "dots": eaten.round(2).tolist()}
        curve = [fraction(figure(row, "return")) for row in rows_of(run)]
        rows.append(
            [
                name,
                *(f"{value:.2f}" for value in found.values()),
                " ".join(f"{at:.2f}" for at in curve),
            ]
        )
        if options.verbose:
            print(f"{name}: dots by agent (row) and room (column)\n{eaten.round(1)}")
    columns = [
        "run",
        "specialist fraction",
        "rooms per agent",
        "rooms of the team",
        "information (of 1.39)",
    ]
    columns += ["dots per agent", "specialist fraction by checkpoint"]
    print_table(f"Pac-Men tini, {options.episodes} fresh episodes each", columns, rows)
    script.save(content)


if __name__ == "__main__":
    main()
