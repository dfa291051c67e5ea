"""Mind states: what a refit of the codebook costs whoever predicts its codes.

A recurrent language model of 64 units learns sequences whose topic (one of eight) has bigrams of
its own. A probe predicts its mind state four steps ahead, one of 25 codes; the model does not feel
it. Codebooks are refitted at one third and two thirds of the steps. The jump of a refit is the mean
cross-entropy of the 5 steps after it, less that of the 20 before, in nats. "ema" has no such event,
and "never" no refit at all; both are measured at the same steps.

    python benchmarks/studies/mind_state_refits.py [--smoke] [--policies warm ema] [--json FILE]
"""

from __future__ import annotations

from typing import Any

import _root  # noqa: F401
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.shared.grid import interval, print_table, summary
from benchmarks.shared.runner import Progress, Script, machine
from mirrorenv.population.objectives import Hidden, Host, build_objective, optimiser_of
from mirrorenv.population.objectives.updates import after_update, clip_gradients, sum_of_losses

POLICIES = ("naive", "hungarian", "warm", "ema", "never", "fsq")
TOPICS, WORDS, LENGTH, ROWS, WIDTH = 8, 32, 64, 16, 64
BEFORE, AFTER = 20, 5


class Model(nn.Module):
    """A recurrent language model; (B, T) words -> logits (B, T, V) and hidden states (B, T, H)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.memory = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Read whole sequences."""
        hidden, _ = self.memory(self.embed(words))
        return self.head(hidden), hidden


def sequences(seed: int, count: int) -> Tensor:
    """(count, LENGTH) words: a topic each, whose bigrams are sparse."""
    rng = np.random.default_rng(seed)
    chance = rng.dirichlet(np.full(WORDS, 0.1), size=(TOPICS, WORDS)).cumsum(-1)
    topic = rng.integers(TOPICS, size=count)
    words = np.empty((count, LENGTH), np.int64)
    words[:, 0] = rng.integers(WORDS, size=count)
    for t in range(1, LENGTH):
        draw = rng.random((count, 1))
        words[:, t] = (chance[topic, words[:, t - 1]] < draw).sum(1).clip(max=WORDS - 1)
    return torch.from_numpy(words)


def run(policy: str, seed: int, steps: int) -> dict[str, float]:
    """One training; the jump at each refit, and how it ended."""
    torch.manual_seed(seed)
    model = Model()
    every = steps // 3
    given: dict[str, Any] = {
        "name": "mind_state",
        "weight": 0.0,
        "codes": 25,
        "ahead": 4,
        "refit": policy,
        "refit_every": every,
        "warm_up": steps // 30,
        "predictor": "mlp",
    }
    probe = build_objective(given, Host({"memory": WIDTH}, module=model), seed=seed)
    objectives = {"mind_state": probe}
    optimisers = (torch.optim.Adam(model.parameters(), lr=3e-3), optimiser_of(objectives))
    data = sequences(seed, steps * ROWS)
    mask = torch.ones(ROWS, LENGTH, 1)
    rows: list[dict[str, float]] = []
    for words in data.split(ROWS):
        logits, hidden = model(words)
        said = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), words[:, 1:].flatten())
        output = Hidden({"memory": hidden.unsqueeze(2)})
        extra, metrics = sum_of_losses(objectives, None, output, {"mask": mask})
        for optimiser in optimisers:
            optimiser.zero_grad()
        (said + extra).backward()
        clip_gradients(objectives, model)
        for optimiser in optimisers:
            optimiser.step()
        after_update(objectives, output, {"mask": mask})
        found = {name.partition("/")[2]: float(value) for name, value in metrics.items()}
        rows.append({**found, "language": float(said.detach())})
    loss = np.array([row["cross_entropy"] for row in rows])
    last = rows[-BEFORE:]
    # update number `every` refits at its end, so that the row after it is the first to notice
    jumps = [
        loss[k + 1 : k + 1 + AFTER].mean() - loss[k + 1 - BEFORE : k + 1].mean()
        for k in (every, 2 * every)
    ]
    names = ("cross_entropy", "over_entropy", "lift_copy", "lift_markov", "codes_used")
    ends = {name: float(np.mean([row[name] for row in last])) for name in (*names, "language")}
    ends["perplexity"] = float(np.mean([row["perplexity"] for row in last]))
    return {"jump_1": float(jumps[0]), "jump_2": float(jumps[1]), **ends}


def main() -> None:
    """Every policy with every seed, and the table."""
    script = Script(__doc__, json=True, seeds=3, smoke={"steps": 90, "seeds": 1})
    script.add_argument("--steps", type=int, default=600, help="updates (default 600)")
    script.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
    options = script.parse()
    progress = Progress(len(options.policies) * options.seeds)
    found: dict[str, list[dict[str, float]]] = {policy: [] for policy in options.policies}
    for seed in range(options.seeds):
        for policy in options.policies:
            found[policy].append(run(policy, seed, options.steps))
            progress.done(f"{policy}, seed {seed}")
    columns = ["jump_1", "jump_2", "cross_entropy", "lift_copy", "lift_markov"]
    columns += ["codes_used", "perplexity", "language"]
    table = [
        [policy, *(interval([row[name] for row in rows]) for name in columns)]
        for policy, rows in found.items()
    ]
    title = f"Jump of the cross-entropy at refits, nats; {options.seeds} seeds, t intervals"
    print_table(title, ["refit", *columns], table)
    content = {
        policy: {name: summary([row[name] for row in rows]) for name in rows[0]}
        for policy, rows in found.items()
    }
    script.save({"benchmark": "mind_state_refits", **machine(), "steps": options.steps, **content})


if __name__ == "__main__":
    main()
