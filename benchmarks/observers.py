"""Every observer head and baseline on the same agents, beside the exact limit.

    python benchmarks/observers.py [--seeds 1] [--cases dirichlet pacmen] [--json] [--smoke]

Agents are fixed and hard to tell apart (the limit is about half of log N); each observer learns
from 1,000 labelled episodes, is stopped by 100 of them that are held back, and is scored on 1,000
others. Two cases:

dirichlet   tabular random agents, Dirichlet(8), 9 states, 5 actions, 20 steps: no memory, nothing
            seen of the others
pacmen      untrained GRU actors (last-layer gain 1.3) in Pac-Men, 25 steps: they remember,
            and see one another

"alone" reads each row of the evidence by itself, "lineup" decodes permutation marginals; a share is
information over that of the exact limit decoded alike. The joint head has seen the other slots
before its rows are read "alone", so there it may pass the limit of an observer that has not.
Intervals are 95 %: over episodes with one seed, Student's t over seeds with several.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mirrorenv.envs import make_batch
from mirrorenv.envs.worlds.dirichlet import Dirichlet, DirichletAgents
from mirrorenv.mirror import (
    Belief,
    EpisodeBatch,
    Score,
    episode_information,
    lineup_permutations,
    score_belief,
    t_interval,
)
from mirrorenv.population.experience import play, population_shape
from mirrorenv.population.observers import HEADS, LineupTensors, build_head
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.population.population import Population
from mirrorenv.population.settings import ObserverSettings, PopulationSettings, PopulationShape

Floats = NDArray[np.float64]
Decoding = Literal["independent", "marginals"]
DECODINGS: dict[str, Decoding] = {"alone": "independent", "lineup": "marginals"}
DIRICHLET_ALPHA = 8.0
FIGURES = ("information", "efficiency", "top1")


@dataclass(frozen=True)
class Recording:
    """Episodes in author order, and what every policy thinks of every step."""

    shape: PopulationShape
    episodes: EpisodeBatch
    log_p: NDArray[np.float32]
    """(B, T, K, N) log pi_n(a | h) on trajectory k."""
    population: Population | None = None
    """Who acted, for heads that read with their own agent's trunk."""

    def part(self, rows: slice) -> Recording:
        """Some of the episodes."""
        return Recording(self.shape, self.episodes.select(rows), self.log_p[rows], self.population)

    def lineups(self, shuffles: NDArray[np.int64]) -> tuple[LineupTensors, Tensor]:
        """Shuffled lineups, and (B, T, J, K) what observer j's own policy thinks of slot k's
        step."""

        def shuffle(x: NDArray[Any]) -> Tensor:
            index = shuffles.reshape(len(shuffles), 1, -1, *[1] * (x.ndim - 3))
            return torch.from_numpy(np.take_along_axis(x, index, axis=2).astype(np.float32))

        actions = np.eye(self.shape.num_actions, dtype=np.float32)[self.episodes.actions]
        seen = self.episodes.observations
        lineup = LineupTensors(shuffle(seen), shuffle(actions), shuffle(self.episodes.mask))
        return lineup, shuffle(self.log_p).transpose(2, 3)


def dirichlet_case(seed: int, episodes: int) -> Recording:
    """Tabular random agents that answer states drawn by chance."""
    world = Dirichlet(num_agents=4, horizon=20)
    # (N, S, A)
    table = DirichletAgents(world, alpha=DIRICHLET_ALPHA, seeds=[seed]).log_probabilities[0]
    agents, states, actions = table.shape
    rng = np.random.default_rng([seed, 1])
    seen = rng.integers(states, size=(episodes, world.horizon, agents))
    odds = np.exp(table).cumsum(-1)[np.arange(agents), seen]  # (B, T, N, A)
    done = (rng.random((*seen.shape, 1)) > odds[..., :-1]).sum(-1)
    shape = PopulationShape(
        num_agents=agents, observation_size=states, num_actions=actions, action_size=0
    )
    batch = EpisodeBatch(
        observations=np.eye(states, dtype=np.float32)[seen],
        actions=done,
        rewards=np.zeros(seen.shape, np.float32),
        mask=np.ones(seen.shape, bool),
    )
    return Recording(shape, batch, table.transpose(1, 2, 0)[seen, done].astype(np.float32))


def pacmen_case(seed: int, episodes: int) -> Recording:
    """Untrained recurrent actors with a policy layer large enough to tell them apart at times."""
    world = make_batch("mirrorenv/pacmen-v0", num_envs=episodes, horizon=25)
    shape = population_shape(world)
    population = Population(
        shape, PopulationSettings(trunk="gru", hidden=32, initial_gain=1.3), seed=seed
    )
    seeds = np.arange(episodes) + 1_000_000 * (seed + 1)
    record = play(world, population, seeds, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        log_p = population.actor.replay_log_probability(
            torch.from_numpy(record.observations), torch.from_numpy(record.actions)
        )
    batch = EpisodeBatch(
        observations=record.observations,
        actions=record.actions,
        rewards=record.rewards,
        mask=record.mask,
    )
    return Recording(shape, batch, log_p.numpy())


CASES = {"dirichlet": dirichlet_case, "pacmen": pacmen_case}


Trunk = Literal["separate", "stopped", "shared"]


class Reader:
    """A head, and what it reads with: weights of its own, or its own agent's trunk.

    The agents are recorded, so nothing here changes a policy: ``stopped`` reads with the trunks as
    they are, ``shared`` with a copy of them that the head trains further.
    """

    def __init__(
        self, name: str, record: Recording, generator: torch.Generator, trunk: Trunk = "separate"
    ) -> None:
        self.observers = build_head(
            record.shape, ObserverSettings(head=name, trunk=trunk), TRUNK_WIDTH, generator
        )
        self.actor = None
        if trunk != "separate":
            assert record.population is not None
            self.actor = copy.deepcopy(record.population.actor)
            self.actor.requires_grad_(False).trunk.requires_grad_(trunk == "shared")

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        trunk = [] if self.actor is None else list(self.actor.trunk.parameters())
        return [*self.observers.parameters(), *(one for one in trunk if one.requires_grad)]

    def weights(self) -> list[Tensor]:
        """A copy of what is trained."""
        return [one.detach().clone() for one in self.parameters()]

    def restore(self, weights: list[Tensor]) -> None:
        """Back to a copy."""
        with torch.no_grad():
            for one, held in zip(self.parameters(), weights, strict=True):
                one.copy_(held)

    def evidence(self, lineup: LineupTensors, own: Tensor) -> Tensor:
        """See `Head.evidence`."""
        hidden = None if self.actor is None else self.actor.read(lineup.observations)
        return self.observers.evidence(lineup, hidden=hidden, own=own)


TRUNK_WIDTH = 32


def trained_reader(
    name: str,
    past: Recording,
    seed: int,
    epochs: int,
    *,
    trunk: Trunk = "separate",
    patience: int = 4,
    start: Reader | None = None,
) -> Reader:
    """A head trained on nine tenths of the past with fresh shuffles, as it was when the last tenth
    liked it best.

    Args:
        name: of the head.
        past: labelled episodes, at least two.
        seed: of initial weights, shuffles and minibatches.
        epochs: passes at most.
        trunk: what it reads with.
        patience: passes without improvement after which it stops.
        start: trained on from here, in place; a new one if not given.
    """
    agents = past.shape.num_agents
    generator = torch.Generator().manual_seed(seed)
    reader = start or Reader(name, past, generator, trunk)
    optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
    held_back = max(1, len(past.episodes) // 10)
    check, teach = past.part(slice(0, held_back)), past.part(slice(held_back, None))
    best, best_weights, bad = math.inf, reader.weights(), 0
    for epoch in range(epochs):
        order = torch.randperm(len(teach.episodes), generator=generator)
        lineup, own = teach.lineups(shuffles := _shuffles(seed, epoch, len(teach.episodes), agents))
        for rows in torch.split(order, 64):
            evidence = reader.evidence(LineupTensors(*(x[rows] for x in lineup)), own[rows])
            loss = reader.observers.loss(
                evidence, torch.from_numpy(shuffles)[rows], lineup.mask[rows]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            lineup, own = check.lineups(shuffles := _shuffles(seed, -1, held_back, agents))
            now = float(
                reader.observers.loss(
                    reader.evidence(lineup, own), torch.from_numpy(shuffles), lineup.mask
                )
            )
        bad = 0 if now < best else bad + 1
        if now < best:
            best, best_weights = now, reader.weights()
        if bad == patience:
            break
    reader.restore(best_weights)
    return reader


def reader_evidence(reader: Reader, record: Recording) -> NDArray[np.float64]:
    """(B, J, K, N) at the end of each episode, slots back in author order."""
    shuffles = _shuffles(0, -2, len(record.episodes), record.shape.num_agents)
    lineup, own = record.lineups(shuffles)
    with torch.no_grad():
        parts = [
            reader.evidence(LineupTensors(*(x[rows] for x in lineup)), own[rows])[:, -1].double()
            for rows in torch.split(torch.arange(len(shuffles)), 100)
        ]
    slot_of = np.argsort(shuffles, axis=1)[:, None, :, None]
    return np.take_along_axis(torch.cat(parts).numpy(), slot_of, axis=2)


def _shuffles(seed: int, epoch: int, episodes: int, agents: int) -> NDArray[np.int64]:
    return lineup_permutations(f"observers {seed} {epoch}", np.arange(episodes), "training", agents)


def score(evidence: NDArray[np.float64], limit: Belief) -> dict[str, Score]:
    """Evidence (B, J, K, N) in author order, decoded both ways."""
    truth = np.broadcast_to(np.arange(evidence.shape[-1]), evidence.shape[:-1])
    scores = {}
    for name, decode in DECODINGS.items():
        nats = episode_information(limit.log_belief(decode), truth[:, :1])
        scores[name] = score_belief(Belief(evidence), truth, decode=decode, limit_information=nats)
    return scores


def measure(case: str, seed: int, episodes: int, epochs: int) -> list[dict[str, Any]]:
    """All observers on one draw of agents: a row for each."""
    record = CASES[case](seed, 2 * episodes)
    past, test = record.part(slice(0, episodes)), record.part(slice(episodes, None))
    # (B, 1, K, N); every step happened
    limit = Belief(test.log_p.astype(np.float64).sum(1)[:, None])
    rows = [_row(case, seed, "exact limit", score(limit.evidence, limit), 0.0)]
    for name, make in BASELINES.items():
        start = time.process_time()
        observer = make()
        observer.fit(past.episodes, record.shape.num_actions)
        found = score(observer.evidence(test.episodes)[:, None], limit)
        rows.append(_row(case, seed, name, found, time.process_time() - start))
    for name in HEADS:
        start = time.process_time()
        found = score(reader_evidence(trained_reader(name, past, seed, epochs), test), limit)
        rows.append(_row(case, seed, name, found, time.process_time() - start))
    return rows


def _row(
    case: str, seed: int, observer: str, scores: dict[str, Score], seconds: float
) -> dict[str, Any]:
    figures = {
        f"{name} {figure}": getattr(scores[name], figure) for name in scores for figure in FIGURES
    }
    return {"case": case, "seed": seed, "observer": observer, "seconds": seconds, **figures}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One observer over its seeds: each figure as value, low, high."""
    result: dict[str, Any] = {key: rows[0][key] for key in ("case", "observer")}
    result["seeds"] = len(rows)
    result["seconds"] = float(np.mean([row["seconds"] for row in rows]))
    for key in (f"{name} {figure}" for name in DECODINGS for figure in FIGURES):
        known = [row[key] for row in rows if row[key] is not None]
        if known:
            estimate = known[0] if len(known) == 1 else t_interval([each.value for each in known])
            result[key] = estimate.to_dict()
    return result


def _print(found: dict[str, Any]) -> None:
    cells = [f"{found['case']:9} {found['observer']:17} {found['seconds']:6.1f}"]
    for name in DECODINGS:
        nats, share = found[f"{name} information"], found.get(f"{name} efficiency")
        cells.append(
            f"{_with_interval(nats)}  {_with_interval(share)}  "
            f"{found[f'{name} top1']['value']:5.3f}"
        )
    print("   ".join(cells), flush=True)


def _with_interval(number: dict[str, float] | None) -> str:
    return (
        f"{number['value']:6.3f} [{number['low']:6.3f}, {number['high']:6.3f}]"
        if number
        else " " * 23
    )


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="draws of agents (and of everything else)"
    )
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument(
        "--episodes", type=int, default=1000, help="to learn from, and as many to be scored on"
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=30,
        help="passes at most; training stops by held-back episodes",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="40 episodes, 1 epoch, 1 seed: does it run at all?"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds, episodes, epochs = options.seeds, options.episodes, options.epochs
    if options.smoke:
        seeds, episodes, epochs = 1, 40, 1
    if not options.json:
        heading = "   ".join(
            f"{name + ': nats':23}  {'share of the limit':23}  top-1" for name in DECODINGS
        )
        print(f"{'case':9} {'observer':17} {'CPU s':>6}   {heading}")
    results = []
    for case in options.cases:
        runs = [measure(case, seed, episodes, epochs) for seed in range(seeds)]
        for rows in zip(*runs, strict=True):
            results.append(summary(list(rows)))
            if not options.json:
                _print(results[-1])
    if options.json:
        print(
            json.dumps(
                {"benchmark": "observers", "episodes": episodes, "seeds": seeds, "rows": results}
            )
        )


if __name__ == "__main__":
    main()
