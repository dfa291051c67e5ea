"""Every registered world is audited: what says that it leaks is caught, and all others pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mirrorenv
from mirrorenv.envs.audit import audit
from tests.envs.world_cases import CASES, Case

RECORDS = Path(__file__).resolve().parents[3] / "docs" / "audit"
OURS = [
    id
    for id, spec in mirrorenv.registry().items()
    if id.startswith("mirrorenv/") and spec.kind == "array"
]


def leaks_by_design(case: Case) -> bool:
    return mirrorenv.spec(case.id).leaks is not None and case.kwargs.get("start") != "random"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.kwargs.get("num_agents") != 1], ids=str
)
def test_worlds_leak_exactly_if_they_say_so(case):
    episodes = 96 if case.kwargs.get("num_agents", 4) < 6 else 48
    found = audit(case.id, episodes=episodes, max_draws=999, **case.kwargs)
    assert found.leaks == leaks_by_design(case), [
        (carrier.column, carrier.p_value) for carrier in found.carriers()
    ]


def test_turn_leaks_through_its_start_corners():
    found = audit("mirrorenv/turn-v0", episodes=96, alpha=0.05, max_draws=999)
    first = next(
        result
        for result in found.results
        if result.input == "first observation" and result.probe == "trained"
    )
    assert first.leak and first.accuracy > 0.95
    assert found.carriers()[0].column == "other agent at (-1, -1)"


@pytest.mark.parametrize("agents", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_the_order_of_others_in_simple_spread_is_found_in_the_lineup(agents):
    pytest.importorskip("mpe2", reason="mpe2 is not installed")
    found = audit(
        "mpe2.simple_spread_v3:parallel_env", episodes=96, alpha=0.05, max_draws=999, N=agents
    )
    whole = next(result for result in found.results if result.input == "whole lineup")
    assert whole.leak and whole.accuracy > 0.8 and whole.outscores > 0.9
    # after velocity, position and landmarks
    other_pos = range(4 + 2 * agents, 4 + 2 * agents + 2 * (agents - 1))
    carriers = found.carriers()
    assert {carrier.column for carrier in carriers} <= {f"observation[{i}]" for i in other_pos}
    assert carriers and all(carrier.against for carrier in carriers)


@pytest.mark.parametrize("id", OURS)
def test_the_page_of_a_world_shows_an_audit_of_many_episodes(id):
    path = RECORDS / f"{id.split('/')[1]}.json"
    if not path.is_file():
        pytest.fail(
            f"{id} has no recorded audit yet: "
            f"mirrorenv audit {id} --episodes 1000 --json > docs/audit/{path.name}"
        )
    recorded = json.loads(path.read_text())
    assert (recorded["world"], recorded["arguments"], recorded["alpha"]) == (id, {}, 0.01)
    assert recorded["episodes"] >= 1000
    assert recorded["leaks"] == (mirrorenv.spec(id).leaks is not None)
    assert recorded["agents"] == list(mirrorenv.make_batch(id, 1).agents)


def test_every_record_belongs_to_a_world():
    assert {path.stem for path in RECORDS.glob("*.json")} == {id.split("/")[1] for id in OURS}
