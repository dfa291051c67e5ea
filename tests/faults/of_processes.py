"""Faults of processes: those that end, are killed, freeze, or answer nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.faults.fault_list import FaultList
from tests.faults.judging import Happening, status
from tests.faults.runs import attempt, attempt_again, small_run, trouble_run

__all__ = ["FAULTS"]

FAULTS = FaultList()

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 300.0  # seconds for one command
# ways to end that are ours: could not be done, interrupted, the last resort
_CODES = (1, 130, -signal.SIGPROF)
_TROUBLE = r"tests\.faults\.trouble:Trouble"
_RUNNERS = "resources.env_runners=2"


# -- processes of their own: what the command line leaves behind -----------------------------------


def here() -> str:
    """The setting that lets a command join the Ray of this process: its start is no part of these
    faults."""
    import ray

    return f"resources.address={ray.get_runtime_context().gcs_address}"


def _hear_interrupts() -> None:
    # a shell's background jobs ignore it, and so would their children
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(settings: Any, path: Path) -> subprocess.Popen[str]:
    """`mirrorenv train` as a user types it."""
    file = path.with_suffix(".json")
    file.write_text(settings.model_dump_json(), "utf-8")
    command = [
        sys.executable,
        "-m",
        "mirrorenv",
        "train",
        "--config",
        str(file),
        "--run",
        str(path),
    ]
    # the environment of these faults is found from the root of the repository
    environment = {**os.environ, "RAY_worker_niceness": "0", "PYTHONPATH": str(_ROOT)}
    environment.pop("RAY_ADDRESS", None)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=pipe, text=True, preexec_fn=_hear_interrupts
    )


def ended(process: subprocess.Popen[str], path: Path) -> Happening:
    """What a command said until it ended."""
    try:
        _, said = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return Happening(path, "still running", typed=False, said=process.communicate()[1])
    if process.returncode == 0:
        return Happening(path, said=said, claims=status(path))
    words = re.search(r"^(error: .*|interrupted.*|Stack \(most recent.*)", said, re.M)
    error = said[words.start() :] if words else said or "nothing was said"
    typed = words is not None and process.returncode in _CODES and not said.startswith("Traceback")
    return Happening(
        path,
        f"exit code {process.returncode}: {error}",
        typed=typed,
        said=said,
        claims=status(path),
    )


def command(settings: Any, path: Path) -> Happening:
    """The whole command."""
    return ended(start(settings, path), path)


def when_training(
    process: subprocess.Popen[str], path: Path, then: Callable[[], None]
) -> Happening:
    """Do something to a command once its first iteration is logged."""
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if (path / "metrics.jsonl").is_file() and (path / "metrics.jsonl").stat().st_size:
            then()
            break
        time.sleep(0.005)
    return ended(process, path)


@FAULTS.add(
    "never returns, deaf to signals",
    "environment, step 4",
    "stopped",
    _TROUBLE,
    "step 4",
    "cannot be interrupted",
    "trouble.py",
    slow=True,
)
def _deaf(path: Path) -> Happening:
    return command(
        trouble_run("never returns, deaf to signals", "resources.step_timeout=1", here()), path
    )


@FAULTS.add(
    "never returns, holding the interpreter",
    "environment, step 4",
    "stopped",
    r"trouble\.py\"?, line \d+ in _wait_alone",
    slow=True,
)
def _alone(path: Path) -> Happening:
    return command(
        trouble_run("never returns, holding the interpreter", "resources.step_timeout=1", here()),
        path,
    )


@FAULTS.add(
    "ends its process",
    "environment, step 4; then the same command",
    "survived",
    "was cut short; going on",
    slow=True,
)
def _exits(path: Path) -> Happening:
    settings = trouble_run("ends its process", f"world_options.once={path.parent / 'came'}", here())
    first = command(settings, path)
    if not first.error.startswith("exit code 3") or first.claims == "finished":
        return Happening(path, problem=f"the first start: {first.error or 'exit code 0'}")
    return attempt_again(settings, path)


def _signalled(number: signal.Signals) -> Callable[[Path], Happening]:
    def happen(path: Path) -> Happening:
        settings = small_run("total_steps=64000", here())  # long enough to be caught at it
        process = start(settings, path)
        return when_training(process, path, lambda: process.send_signal(number))

    return happen


FAULTS.add(
    "SIGTERM", "the driver, while training", "stopped", "SIGTERM", "same command goes on", slow=True
)(_signalled(signal.SIGTERM))
FAULTS.add(
    "SIGINT",
    "the driver, while training",
    "stopped",
    "interrupted",
    "same command goes on",
    slow=True,
)(_signalled(signal.SIGINT))


@FAULTS.add(
    "SIGKILL",
    "the driver, while training; then the same command",
    "survived",
    "was cut short",
    slow=True,
)
def _killed(path: Path) -> Happening:
    settings = small_run(here())
    process = start(settings, path)
    when_training(process, path, process.kill)
    return attempt_again(settings, path)


# -- Ray's actors ----------------------------------------------------------------------------------


def _before_iteration(number: int, harm: Callable[[Any], None]) -> Any:
    """A patch: `harm` gets the algorithm before its iteration `number` samples."""
    from mirrorenv.rllib.algorithm import MirrorPPO

    real = MirrorPPO.training_step

    def step(self: MirrorPPO) -> None:
        if self.iteration + 1 == number:
            harm(self)
        real(self)

    return patch.object(MirrorPPO, "training_step", step)


def _runner_pids(algorithm: Any) -> list[int]:
    pids: list[int] = algorithm.env_runner_group.foreach_env_runner(
        lambda _: os.getpid(), local_env_runner=False
    )
    return pids


@FAULTS.add(
    "raises in step, env runners",
    "environment, step 4, two env runners",
    "stopped",
    "env runner [12]",
    _TROUBLE,
    "seed",
    "the bridge is out",
    slow=True,
)
def _raises_remotely(path: Path) -> Happening:
    return attempt(trouble_run("raises", _RUNNERS, "world_options.runners=true"), path)


@FAULTS.add(
    "never returns, env runners",
    "environment, step 4, two env runners",
    "stopped",
    "env runner [12]",
    _TROUBLE,
    "step 4",
    "did not return",
    slow=True,
)
def _hangs_remotely(path: Path) -> Happening:
    return attempt(
        trouble_run(
            "never returns", _RUNNERS, "world_options.runners=true", "resources.step_timeout=1"
        ),
        path,
    )


@FAULTS.add(
    "ends its process once, env runners",
    "environment, step 4, one of two env runners",
    "survived",
    "samples from 1 of 2 env runners",
    slow=True,
)
def _exits_remotely_once(path: Path) -> Happening:
    once = f"world_options.once={path.parent / 'came'}"
    return attempt(
        trouble_run("ends its process", _RUNNERS, "world_options.runners=true", once), path
    )


@FAULTS.add(
    "ends its process always, env runners",
    "environment, step 4, two env runners",
    "stopped",
    "no sample arrived in 3 attempts at iteration",
    _TROUBLE,
    slow=True,
)
def _exits_remotely(path: Path) -> Happening:
    changes = ("world_options.runners=true", "world_options.episode=1")
    return attempt(trouble_run("ends its process", _RUNNERS, *changes), path)


@FAULTS.add(
    "killed env runner",
    "SIGKILL to one of two",
    "survived",
    "samples from 1 of 2 env runners",
    slow=True,
)
def _killed_runner(path: Path) -> Happening:
    with _before_iteration(
        3, lambda algorithm: os.kill(_runner_pids(algorithm)[0], signal.SIGKILL)
    ):
        return attempt(small_run(_RUNNERS), path)


@FAULTS.add(
    "frozen env runner",
    "SIGSTOP to one of two",
    "survived",
    "samples from 1 of 2 env runners",
    slow=True,
)
def _frozen_runner(path: Path) -> Happening:
    frozen: list[int] = []

    def freeze(algorithm: Any) -> None:
        frozen.append(_runner_pids(algorithm)[0])
        os.kill(frozen[0], signal.SIGSTOP)

    try:
        with _before_iteration(4, freeze):
            return attempt(small_run(_RUNNERS, "resources.sample_timeout=5"), path)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)


@FAULTS.add(
    "no samples",
    "every env runner answers nothing",
    "stopped",
    "no sample arrived",
    "iteration 3",
    slow=True,
)
def _no_samples(path: Path) -> Happening:
    def silence(algorithm: Any) -> None:
        algorithm._ask = lambda shares: {}

    with _before_iteration(3, silence):
        return attempt(small_run(_RUNNERS), path)


@FAULTS.add(
    "killed learner",
    "SIGKILL; then the same command",
    "stopped",
    "learner was lost",
    "iteration 4",
    slow=True,
)
def _killed_learner(path: Path) -> Happening:
    def kill(algorithm: Any) -> None:
        for answer in algorithm.learner_group.foreach_learner(lambda _: os.getpid()):
            os.kill(answer.get(), signal.SIGKILL)

    settings = small_run("resources.learners=1")
    with _before_iteration(4, kill):
        first = attempt(settings, path)
    again = attempt(settings, path)
    first.problem = again.error or again.problem
    return first
