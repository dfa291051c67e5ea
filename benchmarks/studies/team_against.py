"""Can a team be recognised by its own and not by its opponents? Two teams of two harvest two
fields.

Observers of one architecture, trained on the same lineups with the same names, know the same
things: no reward can make one of them know more. So one thing is kept from opponents here: a sign
of one bit, drawn for each team and episode, that means nothing in the game. If members act by sign
as well as by name (i xor sign), every member's walk is as likely as its mate's to anybody who does
not know the sign, and certain to whoever does.

Of every run: the information in nats about the first team's members that its own two observers
have, and that the two opponents have; their difference is the identification gap. Beside it the
exact gap: policies are known, so the best possible belief of a reader who knows the sign, and of
one who must average over it, can be computed. The score is what the team harvests minus what a team
without any mirror reward does, of the same seed, playing against each other.

Going apart pays where the poor field gives more than a third of what the rich one gives: beside two
opponents in the rich field, a team that leaves one there wins 1/3 + poor, and they win 2/3. Below a
third it costs 1/3 - poor a step.

    python benchmarks/studies/team_against.py [--json benchmarks/results/team_against.json]
    python benchmarks/studies/team_against.py --poor 0.33 --weight 1 --out runs/team_against_near

With `--seeds 5` also `--poor 0.5 --weight 1 --out runs/team_against_half` and
`--poor 0.2 --weight 1 --out runs/team_against_fifth`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import numpy.typing as npt

from benchmarks.shared import grid
from benchmarks.shared.bare_grid import run_bare, trained
from benchmarks.studies.two_teams import SIGNS, TEAMS, TwoTeams, margins
from mirrorenv.mirror import Belief
from mirrorenv.population import Population
from mirrorenv.population.acting import PopulationPolicy
from mirrorenv.population.experience import Experience
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)

Floats = npt.NDArray[np.float64]
BASE = [
    *(
        "world=benchmarks.studies.two_teams:TwoTeams",
        "total_steps=65536",
        "mirror.teams=[0, 0, 1, 1]",
        "population.observer.hidden=32",
    ),
    *("learning.episodes_per_iteration=128", "learning.minibatch_episodes=32"),
]
ADVERSARIAL = "mirror.credit=adversarial"
SIGN = "population.observer.head=own_sign"
NO_TEAMS = "mirror.teams=null"  # which belong to the adversarial credit
CONDITIONS = {
    "adversarial": [*BASE, ADVERSARIAL, SIGN],
    "author": [*BASE, SIGN, NO_TEAMS],
    "none": [*BASE, "mirror.weight=0", SIGN, NO_TEAMS],
    "adversarial, opponents see the sign": [
        *BASE,
        ADVERSARIAL,
        "population.observer.head=all_signs",
    ],
    "adversarial, no sign": [*BASE, ADVERSARIAL, SIGN, "world_options.signs=false"],
}
PLAIN = "none"
ADVERSE = "adversarial"
SMOKE = ["total_steps=2048"]
EPISODES = 512
SEED = 77_000_000
OURS = np.flatnonzero(TEAMS == 0)  # the team that is looked at


def information_by_side(population: Population, record: Experience) -> tuple[float, float]:
    """Nats about our members that our observers have, and that opponents have: log N + mean log
    belief."""
    # (B, J, K, N), slots in author order
    lineups = neighbourhoods_of(population, record, run=SEED, episodes=record.episode)
    evidence = observer_evidence(population, record, lineups)[:, -1]
    logs = np.diagonal(
        Belief(evidence.astype(np.float64)).log_belief("independent"), axis1=2, axis2=3
    )  # (B, J, K)
    about = np.log(len(TEAMS)) + logs[:, :, OURS].mean(axis=(0, 2))  # (J,)
    return float(about[TEAMS == 0].mean()), float(about[TEAMS != 0].mean())


def exact_by_side(population: Population, record: Experience) -> tuple[float, float]:
    """The same for the best possible readers, who know the sign or average over it; the team is
    known to both."""
    # by sign: log probability that the members made the two walks this way round, and the other
    likelihood = []
    for sign in (-1.0, 1.0):
        shown = record.observations.copy()
        shown[:, :, OURS, SIGNS[0]] = sign * (shown[:, :, OURS, SIGNS[0]] != 0)
        log_p = policy_log_probabilities(population, replace(record, observations=shown)).sum(
            axis=1
        )  # (B, K, N)
        first, second = OURS
        likelihood.append(
            [
                log_p[:, first, first] + log_p[:, second, second],
                log_p[:, first, second] + log_p[:, second, first],
            ]
        )
    both = np.array(likelihood)  # (sign, way round, B)
    own = record.observations[:, 0, OURS[0], SIGNS[0]] > 0  # (B,)
    knowing = np.where(own, both[1], both[0])  # (way round, B)
    averaging = np.logaddexp(both[0], both[1])
    nats = [
        np.log(len(TEAMS)) + (one[0] - np.logaddexp(one[0], one[1])).mean()
        for one in (knowing, averaging)
    ]
    return float(nats[0]), float(nats[1])


def score_against(ours: Population, theirs: Population, options: dict[str, Any]) -> float:
    """Harvest of our first team minus that of their second one, mean over episodes, each in either
    place."""
    total = 0.0
    world = TwoTeams(num_envs=EPISODES, **options)
    policies = [PopulationPolicy(one, SEED) for one in (ours, theirs)]
    states = [policy.initial_state(EPISODES) for policy in policies]
    now = world.reset(SEED + np.arange(EPISODES))
    for t in range(world.horizon):
        chosen = []
        for number, policy in enumerate(policies):
            actions, states[number] = policy.step(now, states[number], t)
            chosen.append(actions)
        actions = np.where(TEAMS == 0, *chosen)
        total += float(margins(actions, world.poor)[:, OURS[0]].mean())
        now = world.step(actions).observations
    return total


def measured(path: Path, plain: Path | None) -> dict[str, float]:
    """All figures of a run."""
    population, settings = trained(path)
    world = TwoTeams(num_envs=EPISODES, **settings.world_options)
    held_out = play_held_out(population, world, seed=SEED, draws="common")  # as recorded
    own, opponents = information_by_side(population, held_out)
    best_own, best_opponents = exact_by_side(population, held_out)
    found = {"own": own, "opponents": opponents, "gap": own - opponents}
    found |= {
        "best_own": best_own,
        "best_opponents": best_opponents,
        "exact_gap": best_own - best_opponents,
    }
    if plain is not None:
        found["score"] = score_against(population, trained(plain)[0], settings.world_options)
    return found


def _add(script: grid.GridScript) -> None:
    about = "harvest of the poor field (default 0.32); give each value an --out of its own"
    script.add_argument("--poor", type=float, default=0.32, help=about)
    about = "of the mirror reward, where there is one (default 4)"
    script.add_argument("--weight", type=float, default=4.0, help=about)


def _differences(content: dict[str, Any]) -> dict[str, Any]:
    """The gap of the adversarial reward minus that of the author reward and of none, seed by
    seed."""
    found = {}
    for name in ("author", PLAIN):
        one, other = (content.get(key, {"seeds": []}) for key in (ADVERSE, name))
        if one["seeds"] and one["seeds"] == other["seeds"]:
            values = [
                a - b for a, b in zip(one["gap"]["values"], other["gap"]["values"], strict=True)
            ]
            found[f"{ADVERSE} minus {name}"] = grid.summary(values)
            print(f"gap, {ADVERSE} minus {name}, seed by seed: {grid.interval(values)}")
    return found


def main() -> None:
    """Run what is missing and print the table."""
    script = grid.GridScript(__doc__, seeds=10, out="team_against")
    _add(script)
    options = script.parse()
    world = f"world_options.poor={options.poor}"
    paid = f"mirror.weight={options.weight}"
    conditions = {name: [paid, *sets, world] for name, sets in CONDITIONS.items()}
    runs = run_bare(conditions, options, SMOKE)
    plain = {path.name: path for path in runs.get(PLAIN, [])}
    content: dict[str, Any] = {}
    rows = []
    for name, folders in runs.items():
        found = [measured(path, plain.get(path.name)) for path in folders]
        if not found:
            continue
        columns = {}
        for key in found[0]:
            columns[key] = [one[key] for one in found if key in one]
        shown = ("own", "opponents", "gap", "exact_gap", "score")
        rows.append(
            [name, str(len(found)), *(grid.interval(columns.get(key, [])) for key in shown)]
        )
        content[name] = {
            "seeds": [path.name.removeprefix("seed") for path in folders],
            **{key: grid.summary(values) for key, values in columns.items()},
        }
    head = [
        "reward",
        "seeds",
        "own team, nats",
        "opponents, nats",
        "gap",
        "exact gap",
        "score against none",
    ]
    title = (
        f"Information about the first team's members, poor field {options.poor:g}, mirror weight "
        f"{options.weight:g}"
    )
    grid.print_table(title, head, rows)
    script.save({**content, **_differences(content)})


if __name__ == "__main__":
    main()
