"""The road with a classifier on a tiny model: from chance to being recognised, what it takes, and
what it costs.

    python benchmarks/studies/head_road.py [--seeds 3] [--players 3] [--rounds 6]
        [--natural 0 0.3] [--json FILE]

A transformer of two layers with random weights, made from a configuration; all players are told the
same. Its voices carry heads on their hidden states and are trained by GRPO on log N + log q, plus a
weight (`--natural`) times the text's mean log-probability under the untouched model. For each seed:
recognition by the heads on fresh texts about tuning topics after every round, the seconds until the
round in which it first is above 0.9, and on held-out topics at the end recognition, the exact
limit, perplexity under the untouched model as a multiple of that before training, and the rise of
repetition. Random weights write nothing useful, so no bound is set here: what is shown is the
price, not a use.

Seconds are counted from the first text on, imports left out: wall clock, and of the processor in
brackets. Where other work runs on the machine, believe the processor's. Target: above 0.9 within
600 seconds on two cores.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.run import train
from mirrorenv.preference.settings import PreferenceSettings, load_settings
from tests.preference.tiny_model import make_tiny_model

ENOUGH = 0.9
SETTINGS = [
    "method=grpo",
    "data.neutral=n",
    "data.tokens=8",
    "data.temperature=1.0",
    "data.samples=8",
    "data.truncated=keep",
    "data.most_topics=15",
    "learning.steps=8",
    "learning.rank=8",
    "learning.learning_rate=0.02",
    "learning.patience=99",
    "learning.targets=[q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj]",
    "measure.samples=8",
    "measure.instructions=false",
    "measure.relevance_topics=2",
    "bound.perplexity=1e9",
    "bound.repetition=1.0",
    "bound.relevance=0.0",
]


def settings_for(
    model: Path, seed: int, players: int, rounds: int, natural: float
) -> PreferenceSettings:
    """One run."""
    names = ", ".join(f"{{name: p{number}}}" for number in range(players))
    own = [f"model={model}", f"seed={seed}", f"data.players=[{names}]", f"learning.rounds={rounds}"]
    return load_settings(overrides=[*SETTINGS, *own, f"grpo.naturalness={natural}"])


def run_once(folder: Path, seed: int, players: int, rounds: int, natural: float) -> dict[str, Any]:
    """Train one population and say what came of it."""
    model = folder / "model"
    model.mkdir()
    make_tiny_model(model, spread=0.2, seed=seed)
    path: list[float] = []
    reached: dict[str, float] = {}
    wall = time.perf_counter()
    processor = time.process_time()

    def seen(row: dict[str, Any]) -> None:
        if row["split"] == "tuning":
            path.append(row["head"]["top1"]["value"])
            if path[-1] > ENOUGH and not reached:
                reached.update(
                    wall=time.perf_counter() - wall, processor=time.process_time() - processor
                )

    run = train(
        settings_for(model, seed, players, rounds, natural),
        folder / "run",
        callbacks=RunCallbacks(evaluation=seen),
    )
    rows = run.evaluations()
    last = rows[-1]
    before = rows[0]["fresh"]["useful"]
    useful = last["fresh"]["useful"]
    return {
        "seed": seed,
        "natural": natural,
        "tuning": path,
        "seconds": reached or None,
        "held_out": last["head"]["top1"],
        "limit": last["fresh"]["recognition"]["limit"]["top1"]["value"],
        "perplexity": max(
            useful[name]["perplexity"] / before[name]["perplexity"] for name in useful
        ),
        "repetition": max(
            useful[name]["repetition"]["value"] - before[name]["repetition"]["value"]
            for name in useful
        ),
    }


def main() -> None:
    """Run and print."""
    script = Script(__doc__, json=True, seeds=3, threads=None)
    script.add_argument("--players", type=int, default=3)
    script.add_argument("--rounds", type=int, default=6)
    script.add_argument("--natural", type=float, nargs="+", default=[0.0, 0.3])
    given = script.parse()
    print(
        f"{given.players} players, chance {1 / given.players:.3f}; recognition by heads on tuning "
        "topics, by round"
    )
    found = []
    for natural in given.natural:
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                row = run_once(Path(folder), seed, given.players, given.rounds, natural)
            found.append(row)
            took = row["seconds"]
            when = f"{took['wall']:.0f} s ({took['processor']:.0f})" if took else "never"
            path = " ".join(f"{value:.2f}" for value in row["tuning"])
            print(
                f"natural {natural:g} seed {seed}: {path}; above {ENOUGH} after {when}; held out "
                f"{row['held_out']['value']:.3f}, limit {row['limit']:.3f}, perplexity x "
                f"{row['perplexity']:.2f}, "
                f"repetition {row['repetition']:+.2f}",
                flush=True,
            )
            result = {"settings": SETTINGS, "players": given.players, "runs": found}
            script.save(result, so_far=True)
    script.save({"settings": SETTINGS, "players": given.players, "runs": found})
    print(f"{sum(row['seconds'] is not None for row in found)} of {len(found)} runs got there")


if __name__ == "__main__":
    main()
