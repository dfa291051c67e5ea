"""When in an episode agents are recognised: against loops written from the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.mirror import (
    Belief,
    information_over_time,
    score_belief,
)
from tests.mirror.evidence import B, J, N, in_time, shuffles


def test_time_to_identify_is_counted_step_by_step() -> None:
    shown, truth, alive = in_time()
    for decode in ("independent", "marginals"):
        steps = []
        for b, j, k in np.ndindex(B, J, N):
            length = int(alive[b, :, j, k].sum())
            first = length  # never identified: censored at the end
            for t in range(length):
                belief = Belief(shown[b, t, j])
                reading = belief.independent() if decode == "independent" else belief.marginals()
                if reading[k, truth[b, j, k]] > 0.95:
                    first = t + 1
                    break
            steps.append(first)
        score = score_belief(
            Belief(shown[:, -1]), truth, decode=decode, evidence_over_time=shown, mask=alive
        )  # type: ignore[arg-type]
        assert score.time_to_identify is not None
        assert score.time_to_identify.value == pytest.approx(np.mean(steps))


def test_even_evidence_has_a_handshake_index_of_one_tenth() -> None:
    truth = shuffles()
    for steps in (3, 10, 57):
        per_step = 0.2 * (truth[:, None, ..., None] == np.arange(N)) * np.ones((B, steps, J, N, N))
        alive = np.ones((B, steps, J, N), bool)
        score = score_belief(
            Belief(per_step.sum(axis=1)),
            truth,
            evidence_over_time=per_step.cumsum(axis=1),
            mask=alive,
        )
        assert score.handshake_index is not None and score.handshake_index.value == pytest.approx(
            0.1
        )


def test_a_secret_sign_at_the_start_shows_in_the_handshake_index() -> None:
    truth = shuffles()
    per_step = (truth[:, None, ..., None] == np.arange(N)) * np.ones((B, 40, J, N, N)) * 0.01
    per_step[:, :2] *= 300.0
    mask = np.ones((B, 40, N), bool)  # one mask for all observers
    score = score_belief(
        Belief(per_step.sum(axis=1)), truth, evidence_over_time=per_step.cumsum(axis=1), mask=mask
    )
    assert score.handshake_index is not None and score.handshake_index.value == pytest.approx(
        6.02 / 6.38
    )


def test_without_evidence_time_figures_are_undefined() -> None:
    truth = shuffles()
    nothing = np.zeros((B, 5, J, N, N))
    score = score_belief(
        Belief(nothing[:, -1]), truth, evidence_over_time=nothing, mask=np.ones((B, 5, J, N), bool)
    )
    assert score.time_to_identify is None and score.handshake_index is None
    assert {"time_to_identify", "handshake_index"} <= set(score.undefined)


def test_information_grows_along_the_episode_and_ends_at_the_score() -> None:
    shown, truth, _ = in_time()
    for decode in ("independent", "marginals"):
        curve = information_over_time(shown, truth, decode)  # type: ignore[arg-type]
        final = score_belief(Belief(shown[:, -1]), truth, decode=decode).information.value  # type: ignore[arg-type]
        assert curve.shape == (20,) and curve[-1] == pytest.approx(final)
        assert curve[-1] > curve[5] > curve[0] > 0
