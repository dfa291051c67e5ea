"""`mirrorenv audit` says what it found, what to do next, and ends with a code that a script can
use."""

from __future__ import annotations

import json
import sys

import pytest

from mirrorenv.cli.app import main


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mirrorenv", "audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return command


def test_a_clean_world_ends_with_the_command_to_train_in_it(run):
    code, out, _ = run(
        "ants-v0", "--episodes", "64", "--set", "num_agents=2", "--set", "world_options.horizon=8"
    )
    assert code == 0, out
    assert "No leak found." in out and "smallest leak" in out
    last = out.strip().splitlines()[-1]
    assert last.endswith(
        "train mirrorenv/ants-v0 --set world_options.num_agents=2 --set world_options.horizon=8"
    )


def test_a_leak_is_an_error_that_names_columns_and_remedy(run):
    code, out, _ = run("turn-v0", "--episodes", "64", "--set", "horizon=10")
    assert code == 1
    assert "first observation" in out and "LEAK" in out
    assert "columns that carry it: other agent at (-1, -1)" in out
    assert "What helps: draw at every reset" in out
    assert (
        out.strip()
        .splitlines()[-1]
        .endswith("mirrorenv audit mirrorenv/turn-v0 --set world_options.horizon=10 --episodes 64")
    )


def test_a_leak_between_agents_gets_its_own_advice(run):
    code, out, _ = run("tests.envs.audit.toys:Toy", "--episodes", "120", "--set", "leak=cycle")
    assert code == 1
    assert "together with others" in out and "in an order that names no agent" in out


def test_a_world_of_ones_own_is_told_that_it_may_be_trusted(run):
    code, out, _ = run("tests.envs.audit.toys:Toy", "--episodes", "48", "--set", "horizon=3")
    assert code == 0
    assert "world_options.slot_exchangeable=true" in out.strip().splitlines()[-1]


def test_json_is_one_object_and_nothing_else(run):
    code, out, _ = run("turn-v0", "--episodes", "48", "--json", "--seed", "3", "--set", "horizon=6")
    found = json.loads(out)
    assert (code, found["leaks"], found["seed"], found["episodes"]) == (1, True, 3, 48)
    assert {"policy", "input", "probe", "accuracy", "p_value", "corrected", "leak"} <= found[
        "results"
    ][0].keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("antz-v0",), "mirrorenv/ants-v0"),
        (("ants-v0", "--set", "num_agents=1"), "one agent only"),
        (("ants-v0", "--set", "antennae=2"), "antennae"),
        (("ants-v0", "--set", "antennae"), "name=value"),
        (("ants-v0", "--episodes", "5"), "--episodes"),
        (("ants-v0", "--alpha", "2"), "alpha"),
        ((), "WORLD"),
    ],
)
def test_wrong_usage_is_not_a_leak(run, arguments, says):
    code, _, error = run(*arguments)
    assert code == 2
    assert says.lower() in error.lower()


def test_a_world_that_fails_says_so(run):
    code, out, error = run("no_such_module_here:Env")
    assert code == 1 and "cannot load" in error and "LEAK" not in out
