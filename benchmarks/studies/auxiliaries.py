"""Does an agent that models itself become easier to recognise, for itself and for others?

Arms: off; self-model; mind states with the predicted code fed back; a random target with the
self-model's head; mind states with a constant token fed back. Every auxiliary's gradient is scaled
to the same share of the policy's. All of them with mirror weight 0 and 1, on the same seeds, by
`learning.update = fast`.

Measured on held-out episodes of the last population: return; top-1 and nats about authors that the
learned observers have, about others and about themselves, also as a share of the exact limit; how
many nats a step an outside observer (a recurrent network fitted to fresh episodes, told who acts)
loses on the next action beyond the policy's own entropy; the mark test (one agent acts at random in
one step of five: area under the curve by its own policy and by the outside observer); entropy,
weight spread, activation size, their product and effective rank. Area is the mean return over
training. Differences from "off" are paired by seed, with Holm's correction over the arms of a world
and weight; for what the claim is about they are also given at matched entropy and return (intercept
of their regression on the differences in these two). A run that is there is not run again, and its
population stays, so that a new measure needs no new training.

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

from benchmarks.shared.grid import interval, print_table, summary
from benchmarks.shared.inward_measures import adjusted, measured
from benchmarks.shared.runner import Script, load_recipe, machine, say
from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import holm
from mirrorenv.population import Population, population_shape
from mirrorenv.population.checkpoint import load_population, save_population
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
CONTRASTS = (
    *((arm, "off") for arm in ARMS if arm != "off"),
    ("self-model", "random target"),
    ("mind-state", "constant token"),
)
"""Arms compared at matched entropy and return: with nothing, and with a control of their own."""
WEIGHTS = (0.0, 1.0)
Row = dict[str, Any]
CLAIMED = (
    *("by_others", "by_itself", "others_of_limit", "itself_of_limit"),
    *("outside_excess", "mark_by_outsider", "mark_by_itself"),
)
"""What the claim is about: also compared at matched entropy and return."""
MEASURES = (
    *("return", "area", "entropy", "top1", "limit", *CLAIMED),
    *("weight_spread", "activation_rms", "scaled_spread", "effective_rank"),
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
            update="fast",
            episodes_per_iteration=place.episodes,
            minibatch_episodes=place.episodes // 4,
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


def kept(folder: Path, place: Place, arm: str, weight: float, seed: int, steps: int) -> Any:
    """The population of a run and what is known of it; trained if the folder holds none.

    Raises:
        ConfigError: if it holds a run of another length.
    """
    if not (folder / "manifest.json").is_file():
        population, area = trained(place, arm, weight, seed, steps)
        save_population(folder, population, {"area": area, "steps": steps})
    population, about = load_population(folder)
    if about["steps"] != steps:
        raise ConfigError(
            f"{folder} was trained for {about['steps']} steps, and now it is {steps}: give another "
            "--out, or remove that folder"
        )
    return population, about


def main() -> None:
    """Run what is missing, seeds outermost, and print the tables."""
    smoke = {"seeds": 2, "worlds": "ants,chain", "steps": 4096, "copies": 16}
    script = Script(__doc__, json=True, seeds=10, smoke=smoke, minutes=True)
    script.add_argument("--worlds", default="ants,chain,point,pacmen", help="which, by comma")
    script.add_argument("--steps", type=int, default=0, help="of a run; 0: the world's own")
    script.add_argument("--copies", type=int, default=128, help="held-out episodes (default 128)")
    script.add_argument("--out", type=Path, default=Path("runs/auxiliaries"), help="of the results")
    options = script.parse()
    out = options.out / "smoke" if options.smoke else options.out
    names = options.worlds.split(",")
    for name in names:
        if name not in PLACES:
            raise ConfigError(f"--worlds: there is no '{name}'; there are: {', '.join(PLACES)}")
    conditions = [(name, weight, arm) for name in names for weight in WEIGHTS for arm in ARMS]
    found: dict[tuple[str, float, str], dict[int, Row]] = {one: {} for one in conditions}
    for seed in range(options.seeds):
        for name, weight, arm in conditions:
            place = PLACES[name]
            folder = out / name / f"weight{weight:g}" / arm.replace(" ", "-") / f"seed{seed}"
            file = folder / f"measured-{options.copies}.json"
            if not file.is_file():
                if time.monotonic() > options.until:
                    continue
                steps = options.steps or place.steps
                population, about = kept(folder, place, arm, weight, seed, steps)
                row = measured(population, place.world, place.options, seed, options.copies)
                atomic_write_text(file, json.dumps({**about, **row}, indent=1) + "\n")
                say(f"{name}, weight {weight:g}, {arm}, seed {seed}")
            found[name, weight, arm][seed] = json.loads(file.read_text())
    content = {}
    for name in names:
        for weight in WEIGHTS:
            rows = {arm: found[name, weight, arm] for arm in ARMS if found[name, weight, arm]}
            if rows:
                title = f"{name}, mirror weight {weight:g}"
                content[title] = {"arms": table(title, rows), "matched": matched(title, rows)}
    script.save({"benchmark": "auxiliaries", **machine(), "share": SHARE, "results": content})


def matched(title: str, rows: dict[str, dict[int, Row]]) -> dict[str, dict[str, Any]]:
    """Print what arms differ in at matched entropy and return; the same for the JSON.

    Args:
        title: of the table.
        rows: arm -> seed -> figures.
    """
    lines = []
    content: dict[str, dict[str, Any]] = {}
    for measure in CLAIMED:
        found = {}
        for arm, control in CONTRASTS:
            one = contrast(measure, rows.get(arm, {}), rows.get(control, {}))
            if one is not None:
                found[f"{arm} - {control}"] = one
        corrected = holm([one["p"] for one in found.values()])
        cells = [measure]
        for (name, one), p in zip(found.items(), corrected, strict=True):
            one["p_holm"] = float(p)
            aside = "" if one["inside"] else ", extrapolated"
            cells.append(
                f"{name}: {one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}], "
                f"p {p:.2f}{aside}"
            )
        if found:
            content[measure] = found
            lines.append([*cells, *[""] * (len(CONTRASTS) + 1 - len(cells))])
    if lines:
        columns = ["measure", *[""] * len(CONTRASTS)]
        print_table(f"{title}; at matched entropy and return, Holm's p", columns, lines)
    return content


def contrast(measure: str, ours: dict[int, Row], theirs: dict[int, Row]) -> dict[str, Any] | None:
    """One difference at matched entropy and return; None with too few seeds that have it."""

    def differences(name: str, seeds: list[int]) -> list[float]:
        return [ours[seed][name] - theirs[seed][name] for seed in seeds]

    both = sorted(ours.keys() & theirs.keys())
    seeds = [s for s in both if ours[s][measure] is not None and theirs[s][measure] is not None]
    others = [differences(name, seeds) for name in ("entropy", "return")]
    return adjusted(differences(measure, seeds), others) if seeds else None


def table(title: str, rows: dict[str, dict[int, Row]]) -> dict[str, dict[str, Any]]:
    """Print a world's arms, and their differences from "off"; the same for the JSON."""
    content: dict[str, dict[str, Any]] = {arm: {} for arm in rows}
    lines = []
    for measure in MEASURES:
        by_arm = {
            arm: {seed: row[measure] for seed, row in seeds.items() if row[measure] is not None}
            for arm, seeds in rows.items()
        }
        shared = by_arm.get("off", {}).keys()
        by_arm = {arm: values for arm, values in by_arm.items() if values.keys() & shared}
        compared = compare_with("off", by_arm) if len(by_arm) > 1 else []
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
    print_table(
        f"{title}; seeds {seeds}; in brackets: less off, Holm's p", ["measure", *rows], lines
    )
    return content


if __name__ == "__main__":
    main()
