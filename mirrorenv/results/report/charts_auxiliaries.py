"""Charts of what a population learns besides its policy: one line for each auxiliary.

Nothing here knows the name of any. The first metric that an auxiliary logs is its headline.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.results.report.chart import DASH_DOT, DASHED, STEPS, Chart, describe
from mirrorenv.results.report.plots import Level, Track, line_chart
from mirrorenv.results.report.words import plain
from mirrorenv.results.runs.record import RunRecord, headlines

__all__ = ["auxiliaries", "auxiliary_gradients"]

MOST = 6
"""Lines of one chart."""
COLOURS = ("learned", "limit", "other")
STYLES = ("-", DASHED, DASH_DOT)


def _tracks(record: RunRecord, keys: list[str]) -> list[Track]:
    found: list[Track] = []
    for key in keys[:MOST]:
        series = record.metric(key)
        if series is not None:
            place = len(found)
            style = STYLES[place // len(COLOURS) % len(STYLES)]
            colour = COLOURS[place % len(COLOURS)]
            label = key.replace("/", ": ").replace("_", " ")
            found.append(Track(label, series, colour, style, marker=""))
    return found


def auxiliaries(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """The headline of every auxiliary while training."""
    found = _tracks(record, headlines(record.metrics[-1]) if record.metrics else [])
    tracks = [one for one in found if np.ptp(one.series.value) > 0]
    if not tracks:  # a flat line says less than nothing: it looks as if something failed to learn
        return None
    constant = [f"{one.label} ({one.series.value[-1]:g})" for one in found if one not in tracks]
    left_out = f" Constant and not drawn: {', '.join(constant)}." if constant else ""
    return Chart(
        "Auxiliaries",
        "The headline of each further objective. A self-model's is the share of the target's "
        "variance that it does not explain, mind states' the cross-entropy of the predicted code "
        "over the entropy of the codes: 1 is knowing nothing but how often each occurs."
        f"{left_out}",
        describe("Line chart", tracks, [], plain),
        lambda theme: line_chart(theme, tracks, x_label=STEPS, y_label="figure of the objective"),
    )


def auxiliary_gradients(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """How much of the gradient is the policy's, and whether auxiliaries pull its way."""
    last = record.metrics[-1] if record.metrics else {}
    wanted = ("/policy_share", "/gradient_cosine")
    tracks = _tracks(record, [key for key in last if str(key).endswith(wanted)])
    if not tracks:
        return None
    levels = [Level("no common direction", 0.0)]
    return Chart(
        "Gradients of auxiliaries",
        "The policy's share of the gradient norm beside each auxiliary, and the cosine between "
        "the two gradients. A small share means that the policy is not learning any more.",
        describe("Line chart", tracks, levels, plain),
        lambda theme: line_chart(
            theme, tracks, levels, x_label=STEPS, y_label="share, or cosine", y_range=(None, 1.03)
        ),
    )
