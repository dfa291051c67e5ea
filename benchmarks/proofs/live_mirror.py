"""The live mirror's exact ideal observer, in ants: what does an agent gain that may act?

Four ants; each watches five moving images while it acts: one shows its own moves (delay d, noise
e), one its own moves from another episode, three the others'. The ideal observer knows every ant's
law.
Rows: it may know what the watcher did (acting) or not (watching); the watcher follows its habit, or
makes moves by lot to find itself (probing). Printed: nats that tell the contingent image among all
(at most log 5), nats that tell it from the yoked one (at most log 2), the share found. Run:

    python benchmarks/proofs/live_mirror.py [--episodes 400] [--json FILE]
"""

from __future__ import annotations

import _root  # noqa: F401
import numpy as np

import mirrorenv
from benchmarks.shared.runner import Script, machine
from mirrorenv.instrument.live.automaton import Automaton, explored
from mirrorenv.instrument.live.ideal import Law, acted, evidence_of_sources
from mirrorenv.instrument.live.images import CONTINGENT, YOKED, Distortion, shown_moves
from mirrorenv.mirror.arrays import Floats32, Floats64
from mirrorenv.mirror.belief import log_softmax
from mirrorenv.mirror.bounded import bounded_mean
from mirrorenv.mirror.intervals import Estimate, t_interval
from mirrorenv.mirror.permutations import log_permutation_marginals

AGENTS = 4
MOVES = 3
STEADY = 0.9


def station(place: float, steady: float) -> Law:
    """An ant that walks to a place on the line, -1 to 1, and errs by lot."""

    def law(seen: Floats32, time: int) -> Floats64:
        way = np.sign(np.round((place - seen[:, 0]) * 7)).astype(int) + 1  # (X,)
        return np.full((len(seen), MOVES), (1 - steady) / MOVES) + steady * np.eye(MOVES)[way]

    return law


def by_lot(seen: Floats32, time: int) -> Floats64:
    """An ant that moves by lot."""
    return np.full((len(seen), MOVES), 1.0 / MOVES)


def measured(
    automaton: Automaton, own: Law, distortion: Distortion, knows: bool, episodes: int
) -> dict[str, Estimate]:
    """Figures of one condition."""
    others = [station(place, STEADY) for place in np.linspace(-1, 1, AGENTS)[1:]]
    rng = np.random.default_rng(0)
    done = acted(automaton, own, episodes, rng)  # (B, T)
    sources = [done, acted(automaton, own, episodes, rng)]
    sources += [acted(automaton, law, episodes, rng) for law in others]
    shown = shown_moves(np.stack(sources, axis=2), distortion, rng)  # (B, T, K)
    laws = [own, *others]
    evidence = evidence_of_sources(shown, done if knows else None, laws, automaton, distortion)
    last = np.maximum(evidence[:, -1], -1e6)  # (B, K, K)
    belief = log_permutation_marginals(last)
    images = shown.shape[2]
    pair = last[:, [CONTINGENT, YOKED]][:, :, [CONTINGENT, YOKED]]
    told = log_permutation_marginals(pair)[:, 0, 0]
    which = log_softmax(belief[:, :, CONTINGENT])  # (B, K) which image is it
    best = which >= which.max(1, keepdims=True) - 1e-9
    return {
        "among_all": t_interval(np.log(images) + which[:, CONTINGENT]),
        "from_yoked": t_interval(np.log(2) + told),
        "found": bounded_mean(best[:, CONTINGENT] / best.sum(1)),
    }


def main() -> None:
    """All conditions."""
    script = Script(__doc__, json=True, smoke={"episodes": 20})
    script.add_argument("--episodes", type=int, default=400)
    options = script.parse()
    automaton = explored(lambda rows: mirrorenv.make_batch("mirrorenv/ants-v0", rows), MOVES)
    habit = station(-1.0, STEADY)
    rows = []
    print("| watcher | may know | d | e | nats among 5 | nats from yoked | found |")
    print("|---|---|---:|---:|---|---|---|")
    for delay, noise in ((0, 0.0), (0, 0.5), (0, 0.8), (4, 0.5), (16, 0.5), (0, 1.0)):
        distortion = Distortion(delay, noise, MOVES)
        for name, own in (("habit", habit), ("probing", by_lot)):
            for knows in (True, False):
                found = measured(automaton, own, distortion, knows, options.episodes)
                said = "what it did" if knows else "nothing"
                print(
                    f"| {name} | {said} | {delay} | {noise:g} | {found['among_all']} | "
                    f"{found['from_yoked']} | {found['found']} |",
                    flush=True,
                )
                figures = {key: one.to_dict() for key, one in found.items()}
                rows.append(
                    {"watcher": name, "knows": knows, "delay": delay, "noise": noise, **figures}
                )
    script.save({"benchmark": "live_mirror", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
