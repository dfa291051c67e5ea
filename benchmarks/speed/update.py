"""Where an iteration's time goes, with plain and with fast updates.

    python benchmarks/speed/update.py [--world ants] [--iterations 3] [--json FILE] [--smoke]

Both take turns, iteration by iteration, each with a population of its own; milliseconds of
processor time of an iteration's parts (256 episodes, four passes, 16 minibatches).
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.runner import Script, machine
from mirrorenv.envs import make_batch
from mirrorenv.population import Population, population_shape
from mirrorenv.population.allocator import keep_memory
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.minibatches import minibatches
from mirrorenv.population.objectives.recognition import observer_loss, read_minibatch
from mirrorenv.population.objectives.updates import clip_gradients, optimiser_of
from mirrorenv.population.rollouts import rollout
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import learner_columns, train_batch


class Parts:
    """Adds up processor time by part.

    Attributes:
        spent: seconds by part.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._last = time.process_time()

    def start(self) -> None:
        """From here on the next part counts."""
        self._last = time.process_time()

    def done(self, part: str) -> None:
        """What passed since the last part's end was this part."""
        now = time.process_time()
        self.spent[part] += now - self._last
        self._last = now


class Way:
    """A population that is trained one way.

    Args:
        world_id: where it plays.
        update: `learning.update`.
        episodes: of an iteration.
    """

    def __init__(self, world_id: str, update: str, episodes: int) -> None:
        self.world = make_batch(world_id, episodes)
        self.mirror = MirrorSettings()
        self.learning = LearningSettings(
            episodes_per_iteration=episodes, minibatch_episodes=episodes // 4, update=update
        )
        self.population = Population(population_shape(self.world), PopulationSettings())
        set_objectives(self.population, self.mirror, self.learning)
        self.optimiser = optimiser_of(self.population.objectives)
        self.generator = torch.Generator().manual_seed(0)
        self.ids = np.arange(episodes)

    def iteration(self, parts: Parts) -> None:
        """One, its parts measured."""
        parts.start()
        record = rollout(self.world, self.population, world_seeds(0, self.ids), self.generator)
        parts.done("play")
        columns = train_batch(
            self.population,
            record,
            self.mirror,
            self.learning,
            run=0,
            episodes=self.ids,
            rng=np.random.default_rng(0),
        )
        parts.done("pay")
        data = {
            name: torch.from_numpy(np.ascontiguousarray(one))
            for name, one in learner_columns(columns, 1.0).items()
        }
        for minibatch in minibatches(data, self.learning, 0):
            parts.done("gather")
            self._update(minibatch, parts)

    def _update(self, minibatch: dict[str, torch.Tensor], parts: Parts) -> None:
        population = self.population
        ppo = population.objectives["ppo"]
        recognition = population.objectives["recognition"]
        output: Any = population.output(minibatch)
        parts.done("actors, forward")
        acting, _ = ppo.loss(population, output, minibatch)
        said = [output.distribution.outputs, output.environment_value, output.mirror_value]
        errors = torch.autograd.grad(acting, said, retain_graph=True)
        parts.done("PPO's loss, both ways")
        self.optimiser.zero_grad()
        torch.autograd.backward(said, errors)
        parts.done("actors, backward")
        reading = read_minibatch(
            population, minibatch, population.settings.observer, recognition.draws
        )
        parts.done("observers, forward")
        recognising, _ = observer_loss(population, reading)
        (error,) = torch.autograd.grad(recognising, [reading.evidence], retain_graph=True)
        parts.done("observers' loss, both ways")
        torch.autograd.backward([reading.evidence], [error])
        parts.done("observers, backward")
        clip_gradients(population.objectives, population)
        self.optimiser.step()
        parts.done("clip and Adam")


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, smoke={"iterations": 1, "episodes": 8})
    script.add_argument("--world", default="ants")
    script.add_argument("--iterations", type=int, default=3)
    script.add_argument("--episodes", type=int, default=256)
    options = script.parse()
    torch.set_num_threads(1)
    keep_memory()
    ways = {
        update: Way(f"mirrorenv/{options.world}-v0", update, options.episodes)
        for update in ("plain", "fast")
    }
    for way in ways.values():
        way.iteration(Parts())  # the first pays for memory
    parts = {update: Parts() for update in ways}
    for _ in range(options.iterations):
        for update, way in ways.items():
            way.iteration(parts[update])
    print(f"{'ms of an iteration':28} {'plain':>8} {'fast':>8}   plain / fast")
    rows: dict[str, dict[str, float]] = {}
    whole = {
        update: {**one.spent, "all of it": sum(one.spent.values())} for update, one in parts.items()
    }
    for name in whole["plain"]:
        row = {update: 1e3 * spent[name] / options.iterations for update, spent in whole.items()}
        rows[name] = row
        print(
            f"{name:28} {row['plain']:8.1f} {row['fast']:8.1f}   {row['plain'] / row['fast']:.2f}"
        )
    script.save({"benchmark": "update", **machine(), "world": options.world, "rows": rows})


if __name__ == "__main__":
    main()
