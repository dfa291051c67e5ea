"""The audit finds what was planted, names where, and raises no false alarm more often than it
says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from mirrorenv.envs.audit import AuditReport, audit
from mirrorenv.errors import ConfigError, UnknownNameError
from tests.envs.audit.toys import Named, ShortLived, Toy

QUICK = {"episodes": 120, "alpha": 0.05, "max_draws": 999}


def inputs(found: AuditReport, policy: str = "uniform") -> set[str]:
    return {result.input for result in found.results if result.leak and result.policy == policy}


@pytest.mark.parametrize(
    ("leak", "size", "shows", "hides", "columns"),
    [
        ("column", 1.0, "first observation", "length", {"observation[1]"}),
        ("late", 3.0, "observations", "first observation", {"observation[1]"}),
        ("spread", 2.0, "observations", "actions", {"observation[1]"}),
        ("product", 1.0, "whole lineup", "actions", {"observation[0]", "observation[1]"}),
        ("reward", 0.7, "rewards, ends", "observations", {"reward"}),
        (
            "effect",
            1.0,
            "observations, actions",
            "observations",
            {"change of observation[3] after action = 2"},
        ),
        ("order", 1.0, "whole lineup", "actions", {"observation[4]", "observation[5]"}),
        ("cycle", 1.0, "whole lineup", "first observation", {"observation[4]", "observation[5]"}),
    ],
)
def test_a_planted_leak_is_found_where_it_is(leak, size, shows, hides, columns):
    found = audit(Toy, leak=leak, size=size, **QUICK)
    assert shows in inputs(found) and hides not in inputs(found)
    named = [carrier.column for carrier in found.carriers()]
    assert columns & set(named[:2]), named


def test_a_cyclic_order_shows_in_the_lineup_as_a_whole_and_names_nobody():
    found = audit(Toy, leak="cycle", **QUICK)
    whole = next(result for result in found.results if result.input == "whole lineup")
    assert whole.outscores > 0.75
    assert abs(whole.accuracy - 1 / 3) < 0.13  # known up to a rotation


def test_a_leak_that_needs_a_reaction_shows_in_actions_only_if_agents_react():
    found = audit(Toy, leak="column", size=2.0, **QUICK)
    assert "actions" not in inputs(found) and "actions" in inputs(found, "reactive")


def test_lengths_and_names_of_dict_keys_of_other_peoples_environments():
    assert audit(ShortLived, **QUICK).carriers()[0].column == "length"
    found = audit(Named, **QUICK)
    assert {carrier.column for carrier in found.carriers()[:3]} == {
        "seat = 0",
        "seat = 1",
        "seat = 2",
    }


def test_what_all_share_is_no_leak_and_what_never_differs_is_not_tested():
    found = audit("mirrorenv/ants-v0", episodes=64)
    assert not found.leaks
    idle = {result.input for result in found.results if result.p_value is None}
    assert idle == {"first observation", "length", "rewards, ends"}


@pytest.mark.parametrize("agents", [2, 3, 6])
def test_false_alarms_are_as_rare_as_promised(agents):
    """Not one p-value but the whole audit, columns, policies and all; the level is high so that few
    runs tell."""
    runs = {2: 40, 3: 30, 6: 6}[agents]
    settings = {"episodes": 32, "alpha": 0.2, "max_draws": 199, "num_agents": agents, "horizon": 4}
    reports = [audit(Toy, seed=1000 * run, **settings) for run in range(runs)]
    alarms = sum(report.leaks for report in reports)
    assert stats.binom.sf(alarms - 1, runs, 0.2) > 1e-3
    raw = np.array(
        [r.p_value for report in reports for r in report.results if r.p_value is not None]
    )
    assert np.mean(raw <= 0.1) < 0.15
    assert np.mean(raw <= 0.5) > 0.15  # they are p-values of tests that can reject


def test_a_leak_of_the_printed_size_is_seen():
    """Two agents, one column: the printed accuracy is the best possible one for a shift of this
    size."""
    settings = {"num_agents": 2, "horizon": 1, "episodes": 200, "max_draws": 1}
    smallest = audit(Toy, seed=9, **settings).smallest_accuracy
    # named right if the noise of two is below the shift
    shift = float(np.sqrt(2) * stats.norm.ppf(smallest))
    seen = 0
    for run in range(10):
        found = audit(PlainShift, shift=1.25 * shift, seed=1000 * run, **settings)
        first = next(result for result in found.results if result.input == "first observation")
        seen += first.leak
    assert seen >= 7


class PlainShift(Toy):
    def __init__(self, *, shift: float, **kwargs):
        super().__init__(**kwargs)
        self.shift = shift

    def _observe(self):
        seen = np.zeros((self.num_envs, self.num_agents, 3 + self.num_agents), np.float32)
        seen[:, :, 0] = self.random.normal((self.num_agents,)) + self.shift * (
            np.arange(self.num_agents) == 1
        )
        return seen


def test_the_same_seed_gives_the_same_report():
    one, other = (audit(Toy, leak="column", seed=5, **QUICK) for _ in range(2))
    assert one == other
    written = json.loads(json.dumps(one.to_json()))
    assert written["leaks"] is True
    assert AuditReport.from_json(written) == one


def test_large_observations_are_thinned_and_it_is_said(monkeypatch):
    monkeypatch.setattr("mirrorenv.envs.audit.record.MAX_NUMBERS", 32 * 2 * 9 * 8 + 1)
    found = audit(Toy, num_agents=9, horizon=2, episodes=32)
    assert (found.columns, found.columns_read) == (12, 8)


def test_numbers_out_of_range_and_lonely_worlds_are_refused():
    for wrong in ({"episodes": 31}, {"alpha": 0.0}, {"seed": -1}, {"max_draws": 0}):
        with pytest.raises(ConfigError, match="audit"):
            audit("mirrorenv/ants-v0", **wrong)
    with pytest.raises(ConfigError, match="one agent only"):
        audit("mirrorenv/ants-v0", num_agents=1)
    with pytest.raises(UnknownNameError):
        audit("mirrorenv/antz-v0")
