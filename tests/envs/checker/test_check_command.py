"""`mirrorenv check` says what is wrong, ends with the next command, and has the right exit code."""

from __future__ import annotations

import json
import sys

import pytest

from mirrorenv.cli.app import main

FAULTY = "mirrorenv.testing.faults_of_values:SeesTooFar"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mirrorenv", "check", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_world_that_passes_is_sent_on_to_the_audit(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "identity-v0", "--set", "num_agents=3") == 0
    out = capsys.readouterr().out
    assert "PASSED" in out
    assert "PettingZoo's parallel_api_test: passed" in out
    assert out.splitlines()[-1].split() == [
        "next",
        "mirrorenv",
        "audit",
        "mirrorenv/identity-v0",
        "--set",
        "world_options.num_agents=3",
    ]


def test_a_fault_is_shown_with_place_and_remedy(monkeypatch, capsys) -> None:
    assert run(monkeypatch, FAULTY, "--episodes", "1") == 1
    out = capsys.readouterr().out
    for part in (
        "observation-range",
        "walker_0",
        "step 2",
        "seed 0",
        "outside -1.0 to 1.0",
        "Clip or scale",
        "FAILED",
    ):
        assert part in out
    assert out.splitlines()[-1].split() == f"next mirrorenv check {FAULTY} --episodes 1".split()


def test_json_is_the_last_line(monkeypatch, capsys) -> None:
    assert run(monkeypatch, FAULTY, "--episodes", "1", "--seed", "5", "--json") == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    [finding] = last["findings"]
    assert (finding["check"], finding["severity"], finding["agent"]) == (
        "observation-range",
        "error",
        "walker_0",
    )
    assert (finding["step"], finding["seed"], last["passed"]) == (2, 5, False)
    assert last["next"].startswith("mirrorenv check")


def test_rules_are_listed(monkeypatch, capsys) -> None:
    from mirrorenv.envs.checks import CHECKS

    assert run(monkeypatch, "--rules", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["checks"]
    assert [row["check"] for row in listed] == list(CHECKS)
    assert all(row["rule"].endswith(".") for row in listed)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nothing-v0",), 2, "unknown world"),
        (("nowhere.at.all:Env",), 1, "cannot load"),
        (("identity-v0", "--set", "num_agents"), 2, "write it as name=value"),
        (("identity-v0", "--set", "num_agentz=3"), 2, "num_agents"),
        ((), 2, "--rules"),
    ],
)
def test_mistakes_are_named(monkeypatch, capsys, arguments, code, says) -> None:
    assert run(monkeypatch, *arguments) == code
    assert says in capsys.readouterr().err
