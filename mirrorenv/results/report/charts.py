"""Which charts the report shows, in which order."""

from __future__ import annotations

from mirrorenv.results.report import charts_auxiliaries, charts_recognition, charts_training
from mirrorenv.results.report.chart import Maker

__all__ = ["CHARTS"]

# Section heading -> file name of the picture, what it needs (said when that is missing; empty where
# most runs do not have it), and who makes it.
CHARTS: dict[str, list[tuple[str, str, Maker]]] = {
    "Recognition": [
        (
            "recognition",
            "top-1 of the learned observers or the limit",
            charts_recognition.recognition,
        ),
        (
            "information",
            "information of the learned observers or the limit",
            charts_recognition.information,
        ),
    ],
    "Agent by agent": [
        ("recognition_matrix", "the recognition matrix", charts_recognition.recognition_matrix),
        ("confusion", "the confusion matrix", charts_recognition.confusion),
    ],
    "Where it comes from": [
        ("evidence_over_time", "evidence over time", charts_recognition.evidence),
        ("readers", "top-1 of any reader", charts_recognition.readers),
    ],
    "What it costs": [
        ("return", "the environment return", charts_training.environment_return),
        ("mirror_return", "the mirror return", charts_training.mirror_return),
        ("agent_returns", "the return of each agent", charts_training.agent_returns),
        ("entropy", "the entropy of the policies", charts_training.entropy),
        ("auxiliaries", "", charts_auxiliaries.auxiliaries),
        ("auxiliary_gradients", "", charts_auxiliaries.auxiliary_gradients),
    ],
    "Can it be trusted?": [
        ("above_limit", "the e-value of “learned above limit”", charts_training.above_the_limit),
        ("stability", "the lagged classifier and identity persistence", charts_training.stability),
    ],
}
