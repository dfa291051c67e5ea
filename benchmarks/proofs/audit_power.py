"""Does `mirrorenv audit` raise as few false alarms as it says, and see leaks of the size it prints?
Run:

    python benchmarks/proofs/audit_power.py [--runs 100] [--json out.json]

False alarms: whole audits of worlds without a leak, at a level high enough to count them. Power:
two agents that differ by a shift of one noisy number, in units of the smallest leak that the audit
prints; the accuracy is the best possible.
"""

from __future__ import annotations

from typing import Any

import _root  # noqa: F401
import numpy as np
from gymnasium import spaces
from scipy.stats import binomtest, norm

from benchmarks.shared.runner import Script
from mirrorenv.envs import ClockedWorld
from mirrorenv.envs.audit import audit
from mirrorenv.mirror.intervals import Estimate, TextStyle

LEVEL = 0.2
WITHOUT_A_LEAK: dict[str, dict[str, Any]] = {
    "mirrorenv/ants-v0": {"start": "random", "see_others": True, "food": True, "horizon": 8},
    "mirrorenv/pacmen-v0": {"reward": "agent", "horizon": 6},
    "mirrorenv/turn-v0": {"start": "random", "reward": "agent", "horizon": 12},
}


class Shifted(ClockedWorld):
    """Two agents see ten normal numbers, once; the first is larger for one of them by `shift`."""

    def __init__(self, *, num_envs: int = 1, shift: float = 0.0) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=2,
            horizon=1,
            observation_space=spaces.Box(-np.inf, np.inf, (10,), np.float32),
            action_space=spaces.Discrete(2),
        )
        self.shift = shift

    def _start(self) -> None:
        self.seen = self.random.normal((2, 10))
        self.seen[:, 1, 0] += self.shift

    def _advance(self, actions: Any, live: Any) -> Any:
        return np.zeros(actions.shape), None

    def _observe(self) -> Any:
        return self.seen.astype(np.float32)


def main() -> None:
    """Both tables, and JSON if asked."""
    script = Script(__doc__, json=True)
    script.add_argument("--runs", type=int, default=100)
    options = script.parse()
    rows: list[dict[str, Any]] = []
    print(f"False alarms of whole audits, 48 episodes for each policy, promised at most {LEVEL}\n")
    print("| world | audits | with an alarm | 95 % interval |\n|---|---:|---:|---|")
    for world, arguments in WITHOUT_A_LEAK.items():
        alarms = [
            audit(
                world, episodes=48, seed=1000 * run, alpha=LEVEL, max_draws=399, **arguments
            ).leaks
            for run in range(options.runs)
        ]
        rows.append({"world": world, "alarms": sum(alarms), "runs": options.runs})
        print(f"| {world} | {options.runs} | {_rate(alarms)} |", flush=True)
    print("\nPower at the default level, two agents, a shift in one of ten numbers\n")
    print("| episodes | smallest leak printed | planted | audits | found | 95 % interval |")
    print("|---:|---:|---:|---:|---:|---|")
    for episodes in (100, 400):
        smallest = audit(Shifted, episodes=episodes, max_draws=1).smallest_accuracy
        for factor in (0.0, 0.5, 1.0, 1.25, 1.5):
            accuracy = 0.5 + factor * (smallest - 0.5)
            # right if the noise of two is below the shift
            shift = float(np.sqrt(2) * norm.ppf(min(accuracy, 0.999)))
            runs = max(options.runs // 4, 2)
            found = [
                audit(Shifted, episodes=episodes, seed=5000 * run, shift=shift).leaks
                for run in range(runs)
            ]
            rows.append(
                {
                    "episodes": episodes,
                    "smallest": smallest,
                    "planted": accuracy,
                    "found": sum(found),
                }
            )
            print(
                f"| {episodes} | {smallest:.3f} | {accuracy:.3f} | {runs} | {_rate(found)} |",
                flush=True,
            )
    script.save(rows)


def _rate(hits: list[bool]) -> str:
    interval = binomtest(sum(hits), len(hits)).proportion_ci()  # Clopper and Pearson
    share = Estimate(float(np.mean(hits)), interval.low, interval.high)
    return share.text(TextStyle(interval=" | {low} to {high}"))


if __name__ == "__main__":
    main()
