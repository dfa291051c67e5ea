"""Faults of environments, during a run with the default settings (sampling in the driver)."""

from __future__ import annotations

from pathlib import Path

from tests.faults.fault_list import FaultList
from tests.faults.judging import Happening, Outcome
from tests.faults.runs import attempt, small_run, trouble_run

__all__ = ["FAULTS"]

FAULTS = FaultList()

_TROUBLE = r"tests\.faults\.trouble:Trouble"
_CHECK = "`mirrorenv check"
_BRIDGE = "the bridge is out"
_STEP = r"step 4"
_AGENT = r"agent 'walker_2'"

_VALUES = (
    ("NaN reward", r"reward is not finite|reward is nan"),
    ("infinite reward", r"reward is not finite|reward is inf"),
    ("reward of the wrong type", r"'much' is not a number"),
    ("reward of the wrong shape", r"is not a number"),
    ("NaN observation", r"observation .*(not finite|is nan)"),
    ("infinite observation", r"observation .*(not finite|is inf)"),
    ("observation of the wrong type", r"observation does not fit its space"),
    ("observation of the wrong shape", r"observation does not fit its space"),
    ("missing observation", r"has no observation"),
    ("missing reward", r"has no reward"),
    ("missing flag", r"has no termination flag"),
)


def _trouble(what: str, message: str, *names: str) -> None:
    @FAULTS.add(what, "environment, step 4", "stopped", _TROUBLE, *names, message, _CHECK)
    def happen(path: Path) -> Happening:
        return attempt(trouble_run(what), path)


for _what, _message in _VALUES:
    _trouble(_what, _message, r"step [34]", _AGENT)
_trouble("unknown agent", r"unknown agents \['ghost'\]", _STEP)


@FAULTS.add(
    "observation outside its space",
    "environment, step 4",
    "survived",
    _TROUBLE,
    "step 4, agent 'walker_2'",
    "outside its space. It is used as it is",
)
def _outside(path: Path) -> Happening:
    return attempt(trouble_run("observation outside its space"), path)


def _ready_made(
    name: str, world: str, wanted: Outcome, *says: str, changes: tuple[str, ...] = ()
) -> None:
    @FAULTS.add(name, "environment", wanted, *says)
    def happen(path: Path) -> Happening:
        return attempt(small_run(*changes, world=f"mirrorenv.testing.{world}"), path)


_ready_made(
    "agent leaves without a flag",
    "faults_of_agents:LeavesWithoutAFlag",
    "stopped",
    "LeavesWithoutAFlag",
    "agent 'walker_0'",
    "without a termination or truncation flag",
)
_ready_made(
    "agent comes back",
    "faults_of_agents:ComesBack",
    "stopped",
    "step 5, agent 'walker_0'",
    "What works",
)
_ready_made(
    "agent joins late", "faults_of_agents:JoinsLate", "stopped", "agent 'walker_3'", "What works"
)
_ready_made(
    "observation outside its space, array world",
    "faults_of_bounds:ShowsItsRow",
    "stopped",
    "ShowsItsRow",
    "step 0, agent",
    "the observation is .*, outside",
    "mirrorenv check",
)
_ready_made("agent dies early", "flawless:Flawless", "survived")
_ready_made(
    "never ends, no horizon", "faults_of_bounds:NeverEnds", "stopped", "NeverEnds", "horizon"
)
_ready_made(
    "never ends, horizon given",
    "faults_of_bounds:NeverEnds",
    "survived",
    changes=("world_options.horizon=8",),
)


@FAULTS.add(
    "raises in reset", "environment, reset", "stopped", _TROUBLE, "seed", "step 0", _BRIDGE, _CHECK
)
def _raises_in_reset(path: Path) -> Happening:
    return attempt(trouble_run("raises", "world_options.step=0"), path)


@FAULTS.add(
    "raises in step, always",
    "environment, step 4",
    "stopped",
    _TROUBLE,
    "seed",
    "step 3",
    _BRIDGE,
    _CHECK,
)
def _raises(path: Path) -> Happening:
    return attempt(trouble_run("raises"), path)


@FAULTS.add(
    "raises in step, once",
    "environment; then the same command",
    "stopped",
    _TROUBLE,
    _BRIDGE,
    _CHECK,
)
def _raises_once(path: Path) -> Happening:
    settings = trouble_run("raises", f"world_options.once={path.parent / 'came'}")
    first = attempt(settings, path)
    first.problem = attempt(settings, path).error and "the same command did not go on"
    return first


@FAULTS.add(
    "never returns",
    "environment, step 4",
    "stopped",
    _TROUBLE,
    "step 4",
    "did not return",
    "trouble.py:",
)
def _hangs(path: Path) -> Happening:
    return attempt(trouble_run("never returns", "resources.step_timeout=1"), path)
