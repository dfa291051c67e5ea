"""How well agents get about that learned ways by hindsight: on G(32, .2), in four rooms, on a line.

Every row beside flat full hindsight on the same walks, a random walk and the optimum. Success is
the share of all pairs of nodes; path over optimum is summed over the trips that arrived.

    python benchmarks/studies/goal_agents.py --seeds 10 [--json benchmarks/results/goal_agents.json]
    python benchmarks/studies/goal_agents.py --part rooms
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared import grid
from benchmarks.shared.runner import Script, machine, say
from mirrorenv.envs.worlds.graph import Graph, shortest_lengths
from mirrorenv.envs.worlds.rooms import Rooms
from mirrorenv.goals.hierarchy import Hierarchy, HierarchySettings
from mirrorenv.goals.pivots import SCORES, peaks, score_of_nodes
from mirrorenv.goals.trips import Trips, all_pairs, react_trips, think_trips
from mirrorenv.goals.walks import Walks, wander

FLAT = {"levels": 1, "top": "all"}
SLOTS = {"target": "gamma", "gamma": 0.7}
GRAPH_ROWS: dict[str, dict[str, Any]] = {
    "table, best so far": {},
    "table, last write": {"options": {"asymmetric": False}},
    "flat, ends of walks": {"levels": 1},
    "flat, full hindsight": FLAT,
    "flat, full hindsight, td": {**FLAT, "target": "td"},
    "linear": {"kernel": "linear", "options": {"learning_rate": 0.01}, **SLOTS},
    "transformer": {"kernel": "transformer", "options": {"learning_rate": 0.002}, **SLOTS},
}
ROOM_ROWS: dict[str, dict[str, Any]] = {
    "3 levels, skip 4": {"pivots": "every"},
    "2 levels, skip 4": {"levels": 2},
    "2 levels, entropy": {"levels": 2, "pivots": "entropy"},
    "2 levels, visits": {"levels": 2, "pivots": "visits"},
    "flat, ends of walks": {"levels": 1},
    "flat, full hindsight": FLAT,
}
SWEEP = [
    {"levels": levels, "skip": skip, "top": top}
    for levels in (2, 3)
    for skip in (2, 3, 4, 6)
    for top in ("ends", "pivots", "all")
]
DOOR_COLUMNS = ("precision", "recall", "precision within a step", "recall within a step")
Row = dict[str, list[float]]


def random_trips(edges: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> Trips:
    """A random walk from every node to every goal, stopped after V steps."""
    states, goals = all_pairs(lengths)
    here, steps = states.copy(), np.zeros(len(states), np.int64)
    for _ in range(len(edges)):
        going = np.flatnonzero(here != goals)
        draws = np.where(edges[here[going]], rng.random((len(going), len(edges))), -1.0)
        here[going] = draws.argmax(axis=1)
        steps[going] += 1
    return Trips(here == goals, steps, lengths[states, goals])


def taught(nodes: int, walks: Walks, settings: Mapping[str, Any], seed: int) -> Hierarchy:
    """A hierarchy that has learned from the walks."""
    made = Hierarchy(nodes, HierarchySettings.checked(settings), seed)
    made.learn(walks)
    return made


def add(rows: dict[str, Row], name: str, trips: Trips) -> None:
    """One more seed of a row."""
    row = rows.setdefault(name, {"success": [], "over_optimum": []})
    row["success"].append(trips.success)
    row["over_optimum"].append(trips.over_optimum)


def graph_part(seeds: int, walks: int) -> dict[str, Row]:
    """G(32, .2): kernels, react against think, lesions."""
    rows: dict[str, Row] = {}
    for seed in range(seeds):
        world = Graph(graph_seed=seed)
        seen = wander(world.edges, walks, np.random.default_rng(seed))
        for name, settings in GRAPH_ROWS.items():
            made = taught(world.num_nodes, seen, settings, seed)
            add(rows, name, react_trips(made, world.edges, world.lengths))
            if name == "table, best so far":
                add(rows, "the same, think", think_trips(made, world.edges, world.lengths))
                for level in (1, 2):
                    made.lesion(level)
                    trips = react_trips(made, world.edges, world.lengths)
                    add(rows, f"the same, level {level} lesioned", trips)
                made.lesion(1, 2)
                trips = react_trips(made, world.edges, world.lengths)
                add(rows, "the same, both lesioned", trips)
        trips = random_trips(world.edges, world.lengths, np.random.default_rng(seed))
        add(rows, "random walk, 32 steps", trips)
        say(f"graph, seed {seed}")
    return rows


def rooms_part(seeds: int, walks: int) -> dict[str, Row]:
    """Four rooms, 104 cells: walks of at most 64 steps that may come back."""
    world = Rooms()
    edges = world.lengths == 1
    rows: dict[str, Row] = {}
    for seed in range(seeds):
        seen = wander(edges, walks, np.random.default_rng(seed), longest=64, again=True)
        for name, settings in ROOM_ROWS.items():
            made = taught(len(edges), seen, settings, seed)
            add(rows, name, react_trips(made, edges, world.lengths))
        add(rows, "random walk", random_trips(edges, world.lengths, np.random.default_rng(seed)))
        say(f"rooms, seed {seed}")
    return rows


def sweep_part(seeds: int, walks: int) -> dict[str, Row]:
    """Depth and skip, with few walks: in four rooms, and in a corridor of 40 cells."""
    corridor = np.abs(np.subtract.outer(np.arange(40), np.arange(40))) == 1
    places = {"rooms": Rooms().lengths == 1, "corridor": corridor}
    rows: dict[str, Row] = {}
    for seed in range(seeds):
        for place, edges in places.items():
            lengths = shortest_lengths(edges)
            for count in (max(2, walks // 100), max(2, walks // 10)):
                seen = wander(edges, count, np.random.default_rng(seed), longest=64, again=True)
                for settings in (FLAT, *SWEEP):
                    made = taught(len(edges), seen, settings, seed)
                    words = " ".join(f"{key} {value}" for key, value in settings.items())
                    trips = react_trips(made, edges, lengths)
                    add(rows, f"{place}, {count} walks: {words}", trips)
        say(f"sweep, seed {seed}")
    return rows


def doors_part(seeds: int, walks: int) -> dict[str, Row]:
    """Doorways among pivots at peaks of a score, against as many random pivots."""
    world = Rooms()
    edges = world.lengths == 1
    doors = set(world.index_of(world.doors).tolist())
    rows: dict[str, Row] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        seen = wander(edges, walks, rng, longest=64, again=True)
        flat = taught(len(edges), seen, FLAT, seed)
        for name in SCORES:
            score = score_of_nodes(name, seen, len(edges), flat.distances() * 64)
            marked = peaks(seen, score)
            marked[np.arange(len(marked)), seen.lengths - 1] = False  # ends are no peaks
            often = np.bincount(seen.nodes[marked], minlength=len(edges))
            share = often / np.maximum(np.bincount(seen.nodes.ravel(), minlength=len(edges)), 1)
            found = set(np.argsort(-share, kind="stable")[:4].tolist())
            chance = set(rng.choice(len(edges), 4, replace=False).tolist())
            for kind, chosen in ((name, found), (f"{name}: as many random", chance)):
                gaps = world.lengths[np.ix_(sorted(chosen), sorted(doors))]  # (4, doors)
                row = rows.setdefault(f"doorways, {kind}", {key: [] for key in DOOR_COLUMNS})
                figures = []
                for near in (gaps == 0, gaps <= 1):
                    figures += [near.any(axis=1).mean(), near.any(axis=0).mean()]
                for key, value in zip(DOOR_COLUMNS, figures, strict=True):
                    row[key].append(float(value))
        say(f"doors, seed {seed}")
    return rows


PARTS: dict[str, tuple[Callable[[int, int], dict[str, Row]], int]] = {
    "graph": (graph_part, 5000),
    "rooms": (rooms_part, 3000),
    "doors": (doors_part, 3000),
    "sweep": (sweep_part, 3000),
}


def main() -> None:
    """Measure the parts and print their tables."""
    script = Script(__doc__, json=True, seeds=10, smoke={"seeds": 1, "walks": 60})
    script.add_argument("--part", default="", help="only this one of " + ", ".join(PARTS))
    script.add_argument("--walks", type=int, default=0, help="walks (default: each part's own)")
    options = script.parse()
    content: dict[str, Any] = {"benchmark": "goal_agents", **machine(), "seeds": options.seeds}
    for part, (measure, walks) in PARTS.items():
        if options.part not in ("", part):
            continue
        rows = measure(options.seeds, options.walks or walks)
        columns = list(next(iter(rows.values())))
        lines = [
            [name, *(grid.interval(row[key]) for key in columns)] for name, row in rows.items()
        ]
        grid.print_table(part, [part, *columns], lines)
        content[part] = {
            name: {key: grid.summary(values) for key, values in row.items()}
            for name, row in rows.items()
        }
        script.save(content, so_far=True)
    script.save(content)


if __name__ == "__main__":
    main()
