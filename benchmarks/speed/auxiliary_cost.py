"""What an auxiliary costs in agent training: seconds of an iteration with it over those without.

Iterations of the bare loop alternate between a population without an auxiliary and one of each
kind, so that whatever else the machine does meets all alike. Medians; the target is 1.3 at most.

    python benchmarks/speed/auxiliary_cost.py [--world mirrorenv/ants-v0] [--update fast]
    [--json FILE] [--smoke]
"""

from __future__ import annotations

import time
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.grid import print_table
from benchmarks.shared.runner import Script, load_recipe, machine
from mirrorenv.population.settings import LearningSettings, PopulationSettings

TARGET = 1.3
KINDS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "self_model": [{"name": "self_model"}],
    "self_model, half": [{"name": "self_model", "episodes": 0.5}],
    "self_model, next step": [{"name": "self_model", "ahead": 1}],
    "self_model, slow target": [{"name": "self_model", "ahead": 1, "ema": 0.99}],
    "mind_state": [{"name": "mind_state"}],
    "mind_state, half": [{"name": "mind_state", "episodes": 0.5}],
    "mind_state, fed": [{"name": "mind_state", "fed": "true"}],
    "mind_state, attention": [{"name": "mind_state", "predictor": "attention"}],
}


def main() -> None:
    """Alternate, and print the ratios."""
    smoke = {"iterations": 2, "episodes": 16}
    script = Script(__doc__, json=True, smoke=smoke)
    script.add_argument("--world", default="mirrorenv/ants-v0", help="which world")
    script.add_argument("--actor", default="mlp", help="population.actor")
    script.add_argument("--update", default="fast", help="learning.update (default fast)")
    script.add_argument("--iterations", type=int, default=12, help="of each kind (default 12)")
    script.add_argument("--episodes", type=int, default=256, help="of an iteration (default 256)")
    options = script.parse()
    bare_loop: Any = load_recipe("bare_loop")
    learning = LearningSettings(episodes_per_iteration=options.episodes, update=options.update)
    loops = {
        name: bare_loop.train(
            options.world,
            settings=PopulationSettings(auxiliaries=tuple(kind), actor=options.actor),
            learning=learning,
        )
        for name, kind in KINDS.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in KINDS}
    for number in range(options.iterations + 1):
        for name, loop in loops.items():
            begun = time.process_time()
            next(loop)
            if number:  # the first fills caches
                seconds[name].append(time.process_time() - begun)
    plain = np.array(seconds["none"])
    rows = []
    content: dict[str, float] = {}
    for name, taken in seconds.items():
        ratio = float(np.median(np.array(taken) / plain))
        content[name] = ratio
        verdict = "" if name == "none" else ("yes" if ratio <= TARGET else "no")
        rows.append([name, f"{np.median(taken):.3f}", f"{ratio:.2f}", verdict])
    columns = ["auxiliary", "CPU seconds of an iteration", "over none", f"at most {TARGET}"]
    print_table(f"{options.world}, {options.actor}, {options.episodes} episodes", columns, rows)
    script.save({"benchmark": "auxiliary_cost", **machine(), "world": options.world, **content})


if __name__ == "__main__":
    main()
