"""Returns of the scripted Pac-Men teams beside the reference values.

    python benchmarks/studies/pacmen_anchors.py [--episodes 1000] [--json] [--smoke]

A return is the team's undiscounted sum over an episode of 100 steps. Intervals are 95 % (1.96
standard errors over independent episodes). The reference values (60 episodes scripted, 2,000
random) come with a deviation that is read as one standard error: its size fits the spread measured
here. "z" is the difference over the joint standard error; a row is reproduced where it is within
1.96.
"""

from __future__ import annotations

import math
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script
from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.worlds.pacmen import Pacmen
from mirrorenv.envs.worlds.pacmen_players import PLAYERS

# (mean, standard error): algorithms as described for the reference, measured elsewhere with an
# independent program
REFERENCE = {
    ("tini", "random"): (-6.91, 0.04),
    ("tini", "homogeneous"): (20.1, 3.0),
    ("tini", "coordinated"): (30.3, 0.8),
    ("tini", "specialists"): (112.1, 0.5),
    ("small", "random"): (-8.19, 0.03),
    ("small", "homogeneous"): (9.5, 0.3),
    ("small", "coordinated"): (20.5, 0.6),
    ("small", "specialists"): (108.7, 0.5),
}


def measure(size: str, team: str, episodes: int, seed: int) -> dict[str, Any]:
    """Mean team return with its interval, beside the reference."""
    world = Pacmen(num_envs=min(episodes, 500), size=size)  # type: ignore[arg-type]
    policy = UniformPolicy(world, seed) if team == "random" else PLAYERS[team](world)
    record = play_episodes(world, policy, np.arange(seed, seed + episodes))
    # (E,) everybody receives the team's reward
    returns = record.rewards[:, :, 0].sum(axis=1, dtype=np.float64)
    mean = float(returns.mean())
    error = float(returns.std(ddof=1) / math.sqrt(episodes))
    reference, reference_error = REFERENCE[size, team]
    return {
        "size": size,
        "team": team,
        "episodes": episodes,
        "value": mean,
        "low": mean - 1.96 * error,
        "high": mean + 1.96 * error,
        "reference": reference,
        "reference_error": reference_error,
        "z": (mean - reference) / math.hypot(error, reference_error),
    }


def main() -> None:
    """Print the table, or JSON."""
    script = Script(__doc__, json=True, seed=0, smoke={"episodes": 20})
    script.add_argument(
        "--episodes",
        type=int,
        default=1000,
        help="episodes of each row (random: four times as many)",
    )
    options = script.parse()
    episodes = options.episodes
    rows = [
        measure(size, team, episodes * (4 if team == "random" else 1), options.seed)
        for size, team in REFERENCE
    ]
    script.save({"benchmark": "pacmen_anchors", "rows": rows})
    print(
        f"{'size':6} {'team':12} {'episodes':>8} {'return':>8} {'95 % interval':>18} "
        f"{'reference':>14} {'z':>6}"
    )
    for row in rows:
        interval = f"{row['low']:.2f} to {row['high']:.2f}"
        known = f"{row['reference']} ± {row['reference_error']}"
        print(
            f"{row['size']:6} {row['team']:12} {row['episodes']:8d} {row['value']:8.2f} "
            f"{interval:>18} {known:>14} "
            f"{row['z']:6.2f}"
        )


if __name__ == "__main__":
    main()
