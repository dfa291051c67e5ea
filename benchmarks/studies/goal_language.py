"""A hierarchy of guides over a language model: which code comes next, and steered texts.

A guide is trained on windows of Python's own documentation by topic. Its next-code prediction
stands beside a bigram's, on windows held out. Then texts are steered to each of some topics, the
weight rising, and words of the topic that no bias knows are counted; beside it a plain bias on
other words of the topic, at several strengths, and the same at equal perplexity (by interpolation,
of the model that is not steered). Intervals are over topics and seeds.

    python benchmarks/studies/goal_language.py [--model smollm2] [--json FILE]
"""

from __future__ import annotations

from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared import grid
from benchmarks.shared.runner import Script, machine, say
from mirrorenv.goals.language.guide import Guide, prepare
from mirrorenv.goals.language.steering import Steering, plain_bias, rate_of, write
from mirrorenv.goals.language.texts import read_topics, topic_words
from mirrorenv.llm.model import LanguageModel
from mirrorenv.llm.weights import load_model

PROMPT = "In this chapter of the documentation we look at"
WAYS: dict[str, tuple[float, ...]] = {
    "logits": (0.0, 0.2, 0.4, 0.6),
    "hidden": (0.1, 0.2, 0.3),
    "plain bias": (0.5, 1.0, 2.0, 3.0),
}
LEVELS = 2
CODES = 16


def steering_of(
    way: str, weight: float, model: LanguageModel, guide: Guide, number: int, shown: tuple[str, ...]
) -> Steering:
    """One way to steer, with its weight."""
    if way == "plain bias":
        return Steering(None, bias=plain_bias(model, shown, weight))
    return Steering(guide, number, weight, "hidden" if way == "hidden" else "logits")


def at_equal_perplexity(rates: dict[str, list[tuple[float, float]]]) -> float | None:
    """How much more the strongest guide on logits raises the rate than a bias of its perplexity."""
    perplexity, rate = rates["logits"][-1]
    points = sorted([rates["logits"][0], *rates["plain bias"]])  # weight 0 is a bias of 0
    if not points[0][0] <= perplexity <= points[-1][0]:
        return None
    return rate - float(np.interp(perplexity, *np.array(points).T))


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True, seeds=2, smoke={"seeds": 1, "topics": 1, "count": 2})
    script.add_argument("--model", default="smollm2", help="as for mirrorenv debate")
    script.add_argument("--topics", type=int, default=4, help="goals to steer to")
    script.add_argument("--count", type=int, default=8, help="texts of each topic, weight and seed")
    script.add_argument("--tokens", type=int, default=40, help="of each text")
    script.add_argument("--windows", type=int, default=12, help="of each topic to learn from")
    options = script.parse()
    model = load_model(options.model)
    texts = read_topics("pydoc")
    prepared = prepare(model, texts, windows=options.windows, say=say)
    guide = Guide(prepared.states.shape[-1], LEVELS, CODES, len(texts))
    levels = [row._asdict() for row in guide.learn(prepared, 0, say)]
    grid.print_table(
        "next code, windows held out",
        list(levels[0]),
        [[f"{value:.3f}" for value in row.values()] for row in levels],
    )
    found: dict[str, dict[str, list[float]]] = {}
    gaps = []
    for seed in range(options.seeds):
        for number, topic in list(enumerate(texts))[: options.topics]:
            words = topic_words(texts, topic)
            points: dict[str, list[tuple[float, float]]] = {}
            for way, weights in WAYS.items():
                for weight in weights:
                    steering = steering_of(way, weight, model, guide, number, words.shown)
                    written = write(
                        model, [PROMPT] * options.count, steering, tokens=options.tokens, seed=seed
                    )
                    rate = float(np.mean([rate_of(one, words.held_out) for one in written.texts]))
                    perplexity = float(np.exp(np.mean(np.log(written.perplexity))))
                    points.setdefault(way, []).append((perplexity, rate))
                    row = found.setdefault(f"{way} {weight:g}", {"rate": [], "perplexity": []})
                    row["rate"].append(rate)
                    row["perplexity"].append(perplexity)
            gaps.append(at_equal_perplexity(points))
            say(f"seed {seed}, {topic}")
    before = np.array(found["logits 0"]["rate"])
    lines = [
        [
            name,
            grid.interval(row["rate"]),
            grid.interval((np.array(row["rate"]) - before).tolist()),
            grid.interval(row["perplexity"]),
        ]
        for name, row in found.items()
    ]
    columns = ["way and weight", "held-out topic words", "above weight 0", "perplexity"]
    grid.print_table("steered", columns, lines)
    known = [gap for gap in gaps if gap is not None]
    print(
        f"guide on logits at its largest weight, minus a plain bias of equal perplexity: "
        f"{grid.interval(known)} ({len(known)} of {len(gaps)} could be compared)"
    )
    rows: dict[str, Any] = {
        name: {key: grid.summary(values) for key, values in row.items()}
        for name, row in found.items()
    }
    script.save(
        {
            "benchmark": "goal_language",
            **machine(),
            "model": options.model,
            "next_code": levels,
            "steered": rows,
            "minus_bias": known,
        }
    )


if __name__ == "__main__":
    main()
