"""A world of your own: a PettingZoo ParallelEnv, trained by its path, with nothing of ours inside.

python training/own_world.py
mirrorenv train own_world:Meeting --run runs/meeting    (in this folder: the same, typed)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv


class Meeting(ParallelEnv):
    """Three agents on a ring of eight places; whoever stands on the same place as another is
    paid."""

    metadata = {"name": "meeting"}  # noqa: RUF012  (PettingZoo's own way)
    max_cycles = 12  # mirrorenv reads the length of an episode here
    possible_agents = ["a", "b", "c"]  # noqa: RUF012
    # how many stand where; the same for all, so it names nobody
    sight = Box(0, 1, (8,), np.float32)
    moves = Discrete(3)  # back, stay, forth

    def observation_space(self, agent: str) -> Box:
        return self.sight

    def action_space(self, agent: str) -> Discrete:
        return self.moves

    def reset(
        self, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.clock = list(self.possible_agents), 0
        self.places = np.random.default_rng(seed).integers(8, size=3)
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        self.places = (self.places + np.array([actions[agent] for agent in self.agents]) - 1) % 8
        self.clock += 1
        paid = {
            agent: float((self.places == self.places[i]).sum() > 1)
            for i, agent in enumerate(self.agents)
        }
        over = dict.fromkeys(self.agents, self.clock >= self.max_cycles)
        seen, never, infos = (
            self._seen(),
            dict.fromkeys(self.agents, False),
            {agent: {} for agent in self.agents},
        )
        self.agents = [] if self.clock >= self.max_cycles else self.agents
        return seen, paid, never, over, infos

    def _seen(self) -> dict[str, Any]:
        counts = np.bincount(self.places, minlength=8).astype(np.float32) / 3
        return {agent: counts.copy() for agent in self.agents}


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train a population in it and write the report; returns the report's path."""
    from mirrorenv.mirror.intervals import TextStyle
    from mirrorenv.results import write_report
    from mirrorenv.results.runs.evaluation import Evaluation
    from mirrorenv.rllib import load_settings, train

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--out", type=Path, default=Path("runs/meeting"))
    parser.add_argument(
        "--set", action="append", default=[], help="any setting, as for mirrorenv train: a.b=value"
    )
    options = parser.parse_args(arguments)
    # A path, so that every process of a run can find the class. The agents see the same and are
    # paid by one rule: nothing but their policies tells them apart, which is what slot_exchangeable
    # says, and what gives an exact limit.
    settings = load_settings(
        "own_world:Meeting",
        overrides=[
            f"total_steps={options.steps}",
            "world_options.slot_exchangeable=true",
            *options.set,
        ],
    )
    folder = train(settings, options.out)
    recognised = Evaluation.from_dict(folder.evaluations()[-1]).learned.top1
    assert recognised is not None
    style = TextStyle("{:.2f}".format)
    print(f"recognised {recognised.text(style)}, chance 0.33")
    report: Path = write_report(folder.path)
    print(f"report  {report}")
    return report


if __name__ == "__main__":
    main()
