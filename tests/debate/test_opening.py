"""A tournament's page opens with what was found, in words and two pictures."""

from __future__ import annotations

import pytest

from mirrorenv.debate.output.opening import charts, floor_explained, headline
from mirrorenv.debate.scoring.scores import ReaderScore
from mirrorenv.mirror import Estimate
from mirrorenv.results.report import plots, themes


def _score(name: str, hits: float, half: float = 0.05, *, judge: bool = False) -> ReaderScore:
    def about(value: float) -> Estimate:
        return Estimate(value, value - half, value + half, 12)

    floor = 1 / 4 if judge else 1 / 3
    return ReaderScore(
        name=name,
        judge=judge,
        games=12,
        floor=floor,
        peer_hits=about(hits),
        peer_hits_strict=about(hits),
        peer_hits_clean=None,
        peer_hits_worded=None,
        peer_hits_joint=about(hits),
        kappa=about((hits - floor) / (1 - floor)),
        cohen_kappa=None,
        self_hits=None if judge else about(0.9),
        false_alarms=None,
        legibility=None if judge else about(1 - hits),
        self_advantage=None,
        nats=about(0.0),
        calibration_error=about(0.1),
        exact=about(0.1),
        order_consistency=None,
        invalid=0.0,
        repaired=0.0,
        inverse=0.0,
        curve=[0.25, hits, hits],
    )


def _text(scores: list[ReaderScore]) -> str:
    return " ".join(headline(scores, 12)).replace("\N{NO-BREAK SPACE}", " ")


def test_the_best_reader_is_named_with_interval_and_floor() -> None:
    text = _text([_score("ada", 0.8), _score("bob", 0.25)])
    assert text.startswith("Over 12 games, ada recognises others best: it gives 80 % (58 to 87 %)")
    assert "guessing gives 33 %" in text
    assert "No other reader's interval reaches it." in text
    assert "Most easily known by others is bob (75 % of its texts), least ada (20 %)." in text


def test_who_could_be_as_good_is_said() -> None:
    text = _text([_score("ada", 0.8), _score("bob", 0.78), _score("eve", 0.25)])
    assert "bob could be as good: the intervals overlap." in text
    assert "eve could" not in text


def test_guessing_is_called_guessing() -> None:
    alike = _score("ada", 0.8)
    alike.peer_hits = Estimate(0.8, 0.8, 0.8, 3)  # three games that say the same are few
    for one in (_score("ada", 0.35), alike):
        text = _text([one])
        assert "no reader is shown to recognise others better than guessing" in text
        assert "recognises others best" not in text and "ada comes first" in text


def test_without_a_game_nothing_is_claimed() -> None:
    assert _text([]).startswith("No game is finished yet")


def test_one_game_has_no_interval() -> None:
    one = _score("ada", 0.8)
    one.peer_hits = Estimate(0.8)
    assert "it gives 80 % of their texts" in _text([one])


@pytest.mark.parametrize("judge", [True, False])
def test_the_floor_of_a_player_is_explained(judge: bool) -> None:
    said = " ".join(floor_explained([_score("ada", 0.8, judge=judge)], 4))
    assert ("1/3 = 0.333 and not 1/4 = 0.250" in said) is not judge


def test_pictures_can_be_drawn_for_any_number_of_readers() -> None:
    for count in (1, 2, 15):
        made = charts([_score(f"$reader_{n}$", n / 15) for n in range(count)], None)
        assert len(made) == 2
        for chart in made:
            assert plots.png(chart.draw(themes.LIGHT)).startswith(b"\x89PNG")
            assert chart.alt and "reader_0" in chart.alt
