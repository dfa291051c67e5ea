"""Training that stays on a GPU: agent-steps/s of whole iterations, and where their time goes.

    python benchmarks/speed/device.py [--device cuda] [--worlds ants pacmen] [--minutes 7]
    [--episodes 4096 16384 65536] [--iterations 5] [--graphs] [--trace FILE] [--json] [--smoke]

For each world and each number of episodes B: iterations of MirrorPPO with default networks, fast
updates, four epochs of four minibatches of B / 4 episodes, everything on the device
(`mirrorenv.population.device`). Printed are agent-steps for each second of wall time, the share of
play, pay and update, kernels of a minibatch's update and moments at which the host waits in an
iteration. With `--graphs`, which needs a GPU, a minibatch's update is one CUDA graph. `--trace`
saves PyTorch's trace of one iteration. With `--device cpu --smoke` it runs anywhere, and its
figures mean nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import torch

import mirrorenv
from benchmarks.shared.runner import Script, machine, say
from mirrorenv.population.device import DeviceLoop, DeviceWorld
from mirrorenv.population.device.launched import Launched
from mirrorenv.population.experience import population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings

AIM = 5_000_000


class GraphedLoop(DeviceLoop):
    """The loop with each minibatch's update as one CUDA graph, replayed on buffers of its own."""

    _graph: torch.cuda.CUDAGraph | None = None
    _seen = 0

    def learn(self, minibatch: dict[str, torch.Tensor]) -> None:
        """The first minibatches as they are, since what is lazy is made there; then the graph."""
        if self._graph is None and self._seen < 3:
            self._seen += 1
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                super().learn(minibatch)
            torch.cuda.current_stream().wait_stream(stream)
            return
        if self._graph is None:
            self._buffers = {name: one.clone() for name, one in minibatch.items()}
            self._graph = torch.cuda.CUDAGraph()
            self.norms.clear()
            with torch.cuda.graph(self._graph):
                super().learn(self._buffers)
        for name, one in minibatch.items():
            self._buffers[name].copy_(one)
        self._graph.replay()


def loop_of(id: str, episodes: int, device: str, graphs: bool) -> DeviceLoop:
    """A loop with default settings and sixteen minibatches an iteration."""
    world = mirrorenv.make_batch(id, episodes)
    population = Population(population_shape(world), PopulationSettings()).to(device)
    learning = LearningSettings(
        episodes_per_iteration=episodes,
        minibatch_episodes=max(1, episodes // 4),
        update="fast",
    )
    kind = GraphedLoop if graphs else DeviceLoop
    return kind(population, DeviceWorld(world, device), MirrorSettings(), learning)


def measure(id: str, episodes: int, options: Any) -> dict[str, Any]:
    """Rates and shares of whole iterations."""
    loop = loop_of(id, episodes, options.device, options.graphs)
    waits = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    for _ in range(2):  # memory, kernels, the graph
        loop.run()
    waits()
    spent = {"play": 0.0, "pay": 0.0, "update": 0.0}
    begun = time.perf_counter()
    for _ in range(options.iterations):
        loop.run()
    waits()
    whole = (time.perf_counter() - begun) / options.iterations
    last = [time.perf_counter()]

    def part(name: str) -> None:
        waits()
        now = time.perf_counter()
        spent[name] += now - last[0]
        last[0] = now

    loop.run(part)
    loop.check()
    world = loop.world.world
    steps = episodes * world.horizon * world.num_agents
    apart = sum(spent.values())
    return {
        "world": id,
        "episodes": episodes,
        "agent_steps_per_second": steps / whole,
        "shares": {name: value / apart for name, value in spent.items()},
        "gigabytes": torch.cuda.max_memory_allocated() / 2**30 if options.device == "cuda" else 0.0,
    }


def launches(id: str) -> tuple[int, int]:
    """Kernels of a minibatch's update without a graph, and waits of a whole iteration: counted on
    the meta device."""
    loop = loop_of(id, 4, "meta", graphs=False)
    with Launched() as all_of_it:
        columns = loop.play([0, 1, 2, 3])
        loop.pay(
            columns,
            torch.zeros(4, 1, loop.population.shape.num_agents, dtype=torch.int64, device="meta"),
        )
        with Launched() as update:
            loop.learn(columns)
    return update.kernels, len(all_of_it.waits) + len(update.waits)


def main() -> None:
    """Measure and print."""
    smoke = {"episodes": [8], "iterations": 1, "worlds": ["ants"]}
    script = Script(__doc__, json=True, smoke=smoke, minutes=True)
    script.add_argument("--device", default="cuda", help="cuda or cpu (default cuda)")
    script.add_argument("--worlds", nargs="+", default=["ants", "pacmen"])
    script.add_argument("--episodes", type=int, nargs="+", default=[4096, 16384, 65536])
    script.add_argument("--iterations", type=int, default=5)
    script.add_argument("--graphs", action="store_true", help="an update as one CUDA graph")
    script.add_argument("--trace", type=Path, help="where to save the trace of one iteration")
    options = script.parse()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no GPU here: --device cpu --smoke shows that it runs")
    if options.graphs and options.device != "cuda":
        raise SystemExit("--graphs needs a GPU")
    rows = []
    for name in options.worlds:
        id = f"mirrorenv/{name}-v0"
        kernels, waiting = launches(id)
        print(f"{id}: {kernels} kernels a minibatch, the host waits {waiting} times an iteration")
        for episodes in options.episodes:
            if time.monotonic() > options.until:
                say("no time is left for more")
                break
            row = {**measure(id, episodes, options), "kernels": kernels, "waits": waiting}
            rows.append(row)
            shares = ", ".join(f"{part} {value:.0%}" for part, value in row["shares"].items())
            print(
                f"{id:24} B = {episodes:6}: {row['agent_steps_per_second']:13,.0f} agent-steps/s "
                f"({'yes' if row['agent_steps_per_second'] >= AIM else 'no'}: {AIM:,} aimed at); "
                f"{shares}",
                flush=True,
            )
            script.save({"benchmark": "device", **machine(), "rows": rows}, so_far=True)
    if options.trace:
        loop = loop_of("mirrorenv/ants-v0", options.episodes[0], options.device, options.graphs)
        loop.run()
        with torch.profiler.profile() as profile:
            loop.run()
        profile.export_chrome_trace(str(options.trace))
    script.save({"benchmark": "device", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
