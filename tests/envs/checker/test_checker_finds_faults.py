"""Every fault is found under its name and under no other; what is right passes."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

import mirrorenv
from mirrorenv.envs.checks import CHECKS, Patience, Report, Seen, check, check_environment
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.testing import FAULTS, Fault, Flawless

# on a busy machine too
ALONE = Patience(max_steps=60, step_seconds=20, replay_seconds=0.05, opinion_seconds=0)
PATIENT = replace(ALONE, max_steps=120, opinion_seconds=60)


def errors(report: Report) -> list[str]:
    return [finding.check for finding in report.of("error")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.make.__name__}")
def test_a_fault_is_found_by_its_name_and_nothing_else_is_accused(fault: Fault) -> None:
    patience = replace(ALONE, step_seconds=0.5) if fault.check == "hang" else ALONE
    report = check_environment(fault.make, patience=patience)
    found = {finding.check: finding for finding in report.findings}
    assert fault.check in found, report.findings
    assert set(errors(report)) <= {fault.check}
    assert found[fault.check].severity == CHECKS[fault.check].severity
    assert found[fault.check].seen
    assert found[fault.check].remedy
    assert report.passed == (CHECKS[fault.check].severity != "error")


def test_every_check_has_a_fault_that_proves_it() -> None:
    assert {fault.check for fault in FAULTS} == CHECKS.keys()
    assert len(FAULTS) >= 15


def test_the_page_lists_every_check_with_its_rule() -> None:
    page = (Path(__file__).parents[3] / "docs" / "checking.md").read_text()
    missing = [
        name
        for name, one in CHECKS.items()
        if f"| `{name}` | {one.severity} | {one.rule} |" not in page
    ]
    assert not missing


def test_what_is_flawless_passes_everything() -> None:
    report = check_environment(Flawless, patience=PATIENT)
    assert report.findings == ()
    assert report.checks == tuple(CHECKS)
    assert report.played is not None
    # an early death in each
    assert (report.played.early, report.played.mixed, report.played.whole) == (3, 3, 3)
    assert [opinion.passed for opinion in report.opinions] == [True, True]


@pytest.mark.parametrize(
    "id", [id for id, spec in mirrorenv.registry().items() if spec.kind == "array"]
)
def test_every_registered_world_passes(id: str) -> None:
    report = check_environment(id, episodes=2, patience=PATIENT)
    assert report.of("error") == ()
    assert report.of("warning") == ()
    assert all(opinion.passed for opinion in report.opinions)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("mpe2.simple_spread_v3:parallel_env", {"max_cycles": 10}),
        ("mpe2.simple_tag_v3:parallel_env", {"max_cycles": 10, "pad": True}),
        ("pettingzoo.butterfly.pistonball_v6:parallel_env", {"max_cycles": 5, "n_pistons": 3}),
        (
            "pettingzoo.sisl.pursuit_v5:parallel_env",
            {"max_cycles": 5, "n_pursuers": 3, "n_evaders": 2},
        ),
    ],
)
def test_well_known_environments_pass(path: str, options: dict[str, object]) -> None:
    module = path.split(":")[0]
    for part in (module.split(".")[0], module):
        if importlib.util.find_spec(part) is None:
            pytest.skip(f"{part} is not installed")
    try:
        report = check_environment(path, episodes=1, patience=ALONE, **options)
    except WorldError as error:
        if "No module named" not in str(error):
            raise
        pytest.skip(str(error))
    assert report.of("error") == ()


@pytest.mark.slow  # plays 60 steps of a game with pictures, many times
def test_knights_archers_zombies_keeps_state_over_reset() -> None:
    pytest.importorskip("pettingzoo.butterfly.knights_archers_zombies_v11", exc_type=ImportError)
    path = "pettingzoo.butterfly.knights_archers_zombies_v11:parallel_env"
    assert errors(check_environment(path, episodes=1, patience=ALONE, max_cycles=60)) == [
        "reset-state"
    ]


def test_a_finding_says_who_when_and_with_which_seed() -> None:
    [fault] = [fault for fault in FAULTS if fault.make.__name__ == "DividesByZero"]
    [finding] = check_environment(fault.make, seed=7, patience=ALONE).of("error")
    assert (finding.agent, finding.step, finding.seed, finding.times) == ("walker_2", 5, 7, 3)
    assert "[1] is nan" in finding.seen


def test_pettingzoo_passes_what_ours_does_not() -> None:
    [fault] = [fault for fault in FAULTS if fault.make.__name__ == "ForgetsTheSeed"]
    report = check_environment(fault.make, patience=PATIENT)
    assert errors(report) == ["seed"]
    assert [opinion.passed for opinion in report.opinions] == [True, True]


def test_a_check_is_one_function() -> None:
    @check("no-fourth-walker", remedy="Leave it out.")
    def no_fourth_walker(evidence):
        """There are three walkers at most."""
        for turn in evidence.turns():
            if len(turn.after) > 3:
                yield Seen("four of them", step=turn.number)

    try:
        assert errors(check_environment(Flawless, patience=ALONE)) == ["no-fourth-walker"]
        with pytest.raises(ConfigError, match="there is a check 'no-fourth-walker' already"):
            check("no-fourth-walker", remedy="")(no_fourth_walker)
    finally:
        del CHECKS["no-fourth-walker"]
    with pytest.raises(ConfigError, match="not registered"):
        check("another", remedy="", after=("nonsense",))(no_fourth_walker)


def test_what_cannot_be_made_is_refused_in_words() -> None:
    def broken() -> Flawless:
        raise KeyError("lost")

    with pytest.raises(WorldError, match="could not be made"):
        check_environment(broken)
    with pytest.raises(ConfigError, match="cannot be copied"):
        check_environment(Flawless())
    with pytest.raises(ConfigError, match="episodes"):
        check_environment(Flawless, episodes=0)
