"""Does an agent that models itself become easier to recognise, for itself and for others?

Arms: off; self-model; mind states with the predicted code fed back; a random target with the
self-model's head; mind states with a constant token fed back. Every auxiliary's gradient is scaled
to the same share of the policy's. All of them with mirror weight 0 and 1, on the same seeds.

Measured on held-out episodes of the last population: return, top-1 and information of the learned
observers, the exact limit, how much better each knows itself than others do, how many nats an
outside observer (a recurrent network fitted to fresh episodes, told who acts) loses on the next
action beyond the policy's own entropy, and entropy, weight spread, activation size and effective
rank. Area is the mean return over training. Differences from "off" are paired by seed, with Holm's
correction over the arms of a world and weight. A run that is there is not run again.

    python benchmarks/studies/auxiliaries.py [--smoke] [--worlds ants,chain] [--seeds 10]
        [--minutes 10] [--json FILE]
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.grid import interval, print_table, summary
from benchmarks.shared.runner import Script, load_recipe, machine, say
from mirrorenv.complexity.weights import effective_rank, root_mean_square
from mirrorenv.envs import make_batch, spec
from mirrorenv.population import Population, population_shape
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import Experience
from mirrorenv.population.objectives.self_model import weights_spread
from mirrorenv.population.reading import play_held_out
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.results import atomic_write_text, compare_with

SHARE = 0.3
ARMS: dict[str, list[dict[str, Any]]] = {
    "off": [],
    "self-model": [{"name": "self_model", "share": SHARE}],
    "mind-state": [{"name": "mind_state", "weight": 1.0, "share": SHARE, "fed": "predicted"}],
    "random target": [{"name": "self_model", "share": SHARE, "target": "random"}],
    "constant token": [
        {"name": "mind_state", "weight": 1.0, "share": SHARE, "fed": "constant", "action": False}
    ],
}
WEIGHTS = (0.0, 1.0)
MEASURES = (
    *("return", "area", "top1", "information", "limit", "self_advantage"),
    *("outside_excess", "entropy", "weight_spread", "activation_rms", "effective_rank"),
)


class Place(NamedTuple):
    """A world, and how long it is trained in."""

    world: str
    options: dict[str, Any]
    steps: int
    episodes: int


PLACES = {
    "ants": Place("mirrorenv/ants-v0", {"food": True}, 98304, 128),
    "chain": Place("mirrorenv/chain-v0", {}, 65536, 64),
    "point": Place("mirrorenv/point-v0", {}, 204800, 64),
    "pacmen": Place("mirrorenv/pacmen-v0", {}, 409600, 64),
}


def trained(place: Place, arm: str, weight: float, seed: int, steps: int) -> tuple[Any, float]:
    """The population after training, and its mean return on the way."""
    shape = population_shape(make_batch(place.world, 1, **place.options))
    population = Population(shape, PopulationSettings(auxiliaries=tuple(ARMS[arm])), seed)
    loop: Any = load_recipe("bare_loop")
    rows = loop.train(
        place.world,
        seed=seed,
        mirror=MirrorSettings(weight=weight),
        learning=LearningSettings(
            episodes_per_iteration=place.episodes, minibatch_episodes=place.episodes // 4
        ),
        world_options=place.options,
        population=population,
    )
    returns = []
    for row in rows:
        returns.append(row["return"])
        if row["env_steps"] >= steps:
            return population, float(np.mean(returns))
    raise AssertionError


def measured(
    place: Place, population: Any, weight: float, seed: int, copies: int
) -> dict[str, Any]:
    """What is measured of a population, by name."""
    world = make_batch(place.world, copies, **place.options)
    found = evaluate(
        population,
        world,
        world_spec=spec(place.world, **place.options),
        seed=seed,
        mirror=MirrorSettings(weight=weight),
    )
    held_out = play_held_out(population, world, seed=seed, part=2)
    fitted = play_held_out(population, world, seed=seed, part=3)
    output = _output(population, held_out)
    mask = torch.from_numpy(held_out.mask)
    rows = output.hidden["trunk"][mask]
    some = rows[:: max(1, len(rows) // 512)]
    excess, entropy = outside(population, fitted, held_out, output, seed)

    def value(one: Any) -> float:
        return float("nan") if one is None else float(one.value)

    return {
        "return": value(found.environment_return),
        "top1": value(found.learned.top1),
        "information": value(found.learned.information),
        "limit": value(found.limit.information),
        "self_advantage": value(found.learned.self_advantage),
        "outside_excess": excess,
        "entropy": entropy,
        "weight_spread": float(weights_spread(population.actor)),
        "activation_rms": root_mean_square(rows),
        "effective_rank": effective_rank(some - some.mean(0)),
    }


@torch.no_grad()
def _output(population: Any, record: Experience) -> Any:
    batch = {"observations": torch.from_numpy(record.observations)}
    batch["mask"] = torch.from_numpy(record.mask).float()
    if "fed" in record.columns:
        batch["fed"] = torch.from_numpy(record.columns["fed"])
    return population.output(batch)


def outside(
    population: Any, fitted: Experience, test: Experience, output: Any, seed: int
) -> tuple[float, float]:
    """Nats that an outside observer loses on the next action beyond the policy itself, and what
    the policy itself loses: its entropy."""
    settings = PopulationSettings(actor="gru", hidden=32)
    reader = Population(population.shape, settings, seed + 1).actor
    optimiser = torch.optim.Adam(reader.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(seed)
    seen, done, mask = (
        torch.from_numpy(one) for one in (fitted.observations, fitted.actions, fitted.mask)
    )
    for _ in range(20):
        for rows in torch.randperm(len(seen), generator=generator).split(32):
            law = reader.sequence(seen[rows]).distribution
            loss = -law.log_probability(done[rows])[mask[rows]].mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    actions, live = torch.from_numpy(test.actions), torch.from_numpy(test.mask)
    with torch.no_grad():
        law = reader.sequence(torch.from_numpy(test.observations)).distribution
        theirs = law.log_probability(actions)[live].mean()
        own = output.distribution.log_probability(actions)[live].mean()
    return float(own - theirs), float(-own)


def main() -> None:
    """Run what is missing, seeds outermost, and print the tables."""
    smoke = {"seeds": 1, "worlds": "ants,chain", "steps": 4096, "copies": 16}
    script = Script(__doc__, json=True, seeds=10, smoke=smoke, minutes=True)
    script.add_argument("--worlds", default="ants,chain,point,pacmen", help="which, by comma")
    script.add_argument("--steps", type=int, default=0, help="of a run; 0: the world's own")
    script.add_argument("--copies", type=int, default=128, help="held-out episodes (default 128)")
    script.add_argument("--out", type=Path, default=Path("runs/auxiliaries"), help="of the results")
    options = script.parse()
    out = options.out / "smoke" if options.smoke else options.out
    names = options.worlds.split(",")
    conditions = [(name, weight, arm) for name in names for weight in WEIGHTS for arm in ARMS]
    found: dict[tuple[str, float, str], dict[int, dict[str, float]]] = {c: {} for c in conditions}
    for seed in range(options.seeds):
        for name, weight, arm in conditions:
            place = PLACES[name]
            steps = options.steps or place.steps
            path = out / name / f"weight{weight:g}" / arm.replace(" ", "-") / f"seed{seed}.json"
            if not path.is_file():
                if time.monotonic() > options.until:
                    continue
                population, area = trained(place, arm, weight, seed, steps)
                row = {"area": area, "steps": steps}
                row |= measured(place, population, weight, seed, options.copies)
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write_text(path, json.dumps(row, indent=1) + "\n")
                say(f"{name}, weight {weight:g}, {arm}, seed {seed}")
            found[name, weight, arm][seed] = json.loads(path.read_text())
    content = {}
    for name in names:
        for weight in WEIGHTS:
            rows = {arm: found[name, weight, arm] for arm in ARMS if found[name, weight, arm]}
            if rows:
                content[f"{name}, weight {weight:g}"] = table(name, weight, rows)
    script.save({"benchmark": "auxiliaries", **machine(), "share": SHARE, "results": content})


def table(
    name: str, weight: float, rows: dict[str, dict[int, dict[str, float]]]
) -> dict[str, dict[str, Any]]:
    """Print a world's arms, and their differences from "off"; the same for the JSON."""
    content: dict[str, dict[str, Any]] = {arm: {} for arm in rows}
    lines = []
    for measure in MEASURES:
        by_arm = {
            arm: {seed: row[measure] for seed, row in seeds.items() if np.isfinite(row[measure])}
            for arm, seeds in rows.items()
        }
        by_arm = {arm: values for arm, values in by_arm.items() if values}
        compared = compare_with("off", by_arm) if "off" in by_arm and len(by_arm) > 1 else []
        against = {one.condition: one for one in compared}
        cells = [measure]
        for arm in rows:
            values = list(by_arm.get(arm, {}).values())
            content[arm][measure] = summary(values) if values else None
            cell = interval(values)
            if arm in against:
                one = against[arm]
                content[arm][f"{measure}_minus_off"] = {
                    **one.difference.estimate.to_dict(),
                    "p_holm": one.corrected,
                }
                cell += f" ({one.difference.estimate.value:+.3f}, p {one.corrected:.2f})"
            cells.append(cell)
        lines.append(cells)
    seeds = {arm: len(found) for arm, found in rows.items()}
    title = f"{name}, mirror weight {weight:g}; seeds {seeds}; in brackets: less off, Holm's p"
    print_table(title, ["measure", *rows], lines)
    return content


if __name__ == "__main__":
    main()
