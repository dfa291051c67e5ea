"""How many skills can be told apart by where they go? DIAYN's point in the square, beside the
mirror and neither.

    python benchmarks/studies/diayn_point.py [--seed 0] [--skills 8] [--paid diayn] [--smoke]

Every skill is an agent of `point-v0`: 100 steps from the middle of a square, nothing is paid by
the world. The policy is one network of two layers of 32 that is told the skill, as in DIAYN
(Eysenbach et al., ICLR 2019); it learns by PPO, not by soft actor-critic, from 409,600 joint steps.
Paid is

diayn    log q(z | s) + log N at every step, by a discriminator of single states
mirror   the mirror reward: what a step adds to the observers' belief in its author,
         by whole trajectories
nothing  the same training, weight 0

The figure is the effective number of skills, exp I(Z; S), of places on a grid of 10 by 10, from
fresh episodes, with the correction of Miller and Madow for small counts: at most N. `fan` is the
scripted team that walks to N places.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.runner import Script
from mirrorenv.envs import make_batch, play_episodes, spec
from mirrorenv.population.acting import PopulationPolicy
from mirrorenv.population.checkpoint import load_population
from mirrorenv.population.experience import world_seeds
from mirrorenv.results import checkpoint_folder
from mirrorenv.rllib.run import train
from mirrorenv.rllib.settings import RunSettings

WORLD = "mirrorenv/point-v0"
STEPS = 409_600
EPISODES = 512
SIDE = 10
PAID: dict[str, dict[str, Any]] = {
    "diayn": {"reward": "diayn"},
    "mirror": {},
    "nothing": {"weight": 0.0},
}


def settings_for(paid: str, skills: int, seed: int, smoke: bool) -> RunSettings:
    """One training run."""
    episodes = 4 if smoke else 64
    return RunSettings.checked(
        {
            "world": WORLD,
            "world_options": {"num_agents": skills},
            "seed": seed,
            "total_steps": 800 if smoke else STEPS,
            "mirror": PAID[paid],
            "population": {"weights": "shared", "hidden": 32},
            "learning": {
                "episodes_per_iteration": episodes,
                "minibatch_episodes": max(2, episodes // 4),
            },
            "evaluation": {"checkpoints": 1, "episodes": 8, "baselines": False},
        }
    )


def effective_skills(cells: NDArray[np.int64]) -> float:
    """exp I(Z; S) by counts, corrected for their small number.

    Args:
        cells: (samples, N) the cell in which each skill was.
    """
    # (N, cells)
    counts = np.stack([np.bincount(column, minlength=SIDE * SIDE) for column in cells.T])
    within = np.mean([_entropy(one) for one in counts])
    return float(np.clip(math.exp(_entropy(counts.sum(0)) - within), 1.0, len(counts)))


def _entropy(counts: NDArray[np.int64]) -> float:
    """Nats, plug-in plus (cells hit - 1) / 2n (Miller 1955)."""
    hit = counts[counts > 0]
    share = hit / hit.sum()
    return float(-(share * np.log(share)).sum() + (len(hit) - 1) / (2 * hit.sum()))


def measured(act: Any, skills: int, seed: int, episodes: int) -> dict[str, float]:
    """Effective skills by last places (`final`) and by those of all steps (`every`)."""
    world = make_batch(WORLD, episodes, num_agents=skills)
    record = play_episodes(
        world, act, world_seeds(seed, (1 << 31) + np.arange(episodes, dtype=np.int64))
    )
    # (B, T, N, 2)
    place = np.clip(((record.observations[..., :2] + 1) / 2 * SIDE).astype(np.int64), 0, SIDE - 1)
    cells = place[..., 0] * SIDE + place[..., 1]  # (B, T, N)
    return {
        "final": effective_skills(cells[:, -1]),
        "every": effective_skills(cells.reshape(-1, skills)),
    }


def learn(paid: str, skills: int, seed: int, run: Path, smoke: bool = False) -> dict[str, float]:
    """Train, or go on with a run that was cut short, and measure; the run is removed once that is
    done."""
    train(
        settings_for(paid, skills, seed, smoke), run, if_exists="overwrite" if smoke else "resume"
    )
    population, _ = load_population(checkpoint_folder(run))
    found = measured(PopulationPolicy(population, seed), skills, seed, 8 if smoke else EPISODES)
    shutil.rmtree(run)
    return found


def fan(skills: int, seed: int) -> dict[str, float]:
    """The scripted team that goes apart."""
    world = make_batch(WORLD, EPISODES, num_agents=skills)
    return measured(spec(WORLD).load_players()["fan"](world), skills, seed, EPISODES)


def main() -> None:
    """Print one run beside the scripted team as JSON."""
    script = Script(__doc__, seed=0, smoke={})
    script.add_argument("--skills", type=int, default=8)
    script.add_argument("--paid", choices=list(PAID), default="diayn")
    script.add_argument("--run", type=Path, default=Path("runs/diayn-point"))
    options = script.parse()
    found = learn(options.paid, options.skills, options.seed, options.run, options.smoke)
    told = {"benchmark": "diayn_point", "skills": options.skills, "seed": options.seed}
    for name, row in (("fan", fan(options.skills, options.seed)), (options.paid, found)):
        print(json.dumps({**told, "paid": name, **row}))


if __name__ == "__main__":
    main()
