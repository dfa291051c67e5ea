"""Kill a training run from outside, again and again, and compare what it ends with.

The run is a process of its own that gets SIGKILL: no handler, no hook, no goodbye. The killer looks
at the run folder alone: to aim at moments that are short, and to say afterwards in which phase the
process died.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirrorenv.results.runs.run_folder import RunFolder
from tests.faults.differences import differences
from tests.faults.moments import AIMS, Moment, Process, phase_of

__all__ = ["AIMS", "Proof", "as_json", "prove", "train_command"]

Say = Callable[[str], None]

_NO_RAY = "error: Ray did not start"
_STARTS = 5  # of the uninterrupted run, where Ray does not come up
NOT_STARTED = "Ray did not start in time on a busy machine, and the run said so"


def train_command(
    path: Path, *changes: str, iterations: int = 40, checkpoints: int = 10
) -> list[str]:
    """The command of a small run on a CPU without actors.

    Args:
        path: its run folder.
        changes: further settings, `a.b=c`.
        iterations: of 16 episodes of 8 steps.
        checkpoints: spread over the run.
    """
    settings = [
        "world_options.horizon=8",
        "learning.episodes_per_iteration=16",
        f"total_steps={iterations * 16 * 8}",
        f"evaluation.checkpoints={checkpoints}",
        "evaluation.episodes=16",
        "evaluation.baselines=false",
        *changes,
    ]
    options = [word for setting in settings for word in ("--set", setting)]
    return [
        sys.executable,
        "-m",
        "mirrorenv",
        "train",
        "mirrorenv/ants-v0",
        *options,
        "--run",
        str(path),
    ]


@dataclass
class Proof:
    """What came of it.

    Attributes:
        kills: how many processes were killed.
        phases: how many of them in which phase.
        aims: how many were aimed at what.
        finished: runs that were killed at least once and came to their end.
        identical: how many of them ended with the bytes of the uninterrupted run.
        differences: what differed, in words.
        refusal: what the command answered when its configuration had changed; empty if it went on.
        whole_seconds: wall-clock length of the uninterrupted run.
        most_kills: of one run before it came to its end.
        not_started: how often Ray did not come up in time by itself, which is no kill; the command
            was given again.
    """

    kills: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    aims: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    identical: int = 0
    differences: list[str] = field(default_factory=list)
    refusal: str = ""
    whole_seconds: float = 0.0
    most_kills: int = 0
    not_started: int = 0

    @property
    def holds(self) -> bool:
        """Every killed run ended as the uninterrupted one did, and a changed configuration was
        refused."""
        return bool(self.finished and self.identical == self.finished and self.refusal)


def prove(
    kills: int, place: Path, seed: int = 0, say: Say = print, *, forked: bool = False, **size: int
) -> Proof:
    """Train once without interruption; then train, kill and start again with the same command.

    Args:
        kills: how many kills at least; the last run then goes on to its end.
        place: an empty folder to work in, with a short path (Ray's sockets lie in it).
        seed: of the moments.
        say: told what happens, one line at a time.
        forked: let one Ray stand all the while (without CPUs, so that it starts no workers), and
            start each run as a fork of a process that has done the imports. Then a start takes a
            fraction, and more of the moments lie in the training. The run itself is the same
            command.
        **size: `iterations` and `checkpoints` of :func:`train_command`.
    """
    rng, proof = random.Random(seed), Proof()
    environment = {
        **os.environ,
        "RAY_TMPDIR": str(place),
        "RAY_worker_niceness": "0",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("RAY_ADDRESS", None)
    if forked:
        os.environ.update(environment)
        with _ray() as address:
            _run_to_the_end(
                _fork, train_command(place / "warm", f"resources.address={address}", **size), place
            )
            changes = (f"resources.address={address}",)
            _kill_and_compare(proof, kills, place, rng, say, _fork, changes, size)
    else:
        _kill_and_compare(
            proof, kills, place, rng, say, lambda c, log: _spawn(c, log, environment), (), size
        )
    return proof


def _kill_and_compare(
    proof: Proof,
    kills: int,
    place: Path,
    rng: random.Random,
    say: Say,
    start: Start,
    changes: tuple[str, ...],
    size: dict[str, int],
) -> None:
    whole = place / "whole"
    began = time.monotonic()
    _run_to_the_end(start, train_command(whole, *changes, **size), place)
    proof.whole_seconds = time.monotonic() - began
    say(f"uninterrupted: {proof.whole_seconds:.1f} s")
    iterations = len(RunFolder.open(whole).metrics())
    runs = 0
    while proof.kills < kills:
        runs += 1
        path = place / f"run{runs}"
        killed = 0
        while True:
            aim = AIMS[proof.kills % len(AIMS)] if proof.kills < kills else None
            command = train_command(path, *changes, **size)
            moment = Moment(aim, path, proof.whole_seconds, iterations, rng)
            phase = _run_and_kill(start, command, path, moment)
            if phase is None:
                break
            if phase == NOT_STARTED:
                proof.not_started += 1
                say(phase)
                continue
            killed += 1
            proof.kills += 1
            proof.phases[phase] += 1
            proof.aims[str(aim)] += 1
            say(f"kill {proof.kills}: {phase} (aimed at {aim})")
            if not proof.refusal and (path / "run.json").is_file():
                answer = _refusal(
                    start, train_command(path, *changes, "mirror.weight=0.5", **size), place
                )
                proof.refusal = answer.replace(str(path), "RUN")
        if not killed:  # it came to its end before the chosen moment
            shutil.rmtree(path)
            continue
        found = list(differences(path, whole))
        proof.finished += 1
        proof.identical += not found
        proof.differences += found
        proof.most_kills = max(proof.most_kills, killed)
        say(
            f"run {proof.finished}: {killed} kills, then to its end, "
            f"{'; '.join(found) or 'identical'}"
        )


@contextmanager
def _ray() -> Iterator[str]:
    """The address of a Ray that outlives the killed processes."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        yield str(cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()


Start = Callable[[list[str], Path], Process]
"""(command, file for what it says) -> the process"""


def _spawn(command: list[str], log: Path, environment: dict[str, str]) -> Process:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


class _Fork:
    """A process made by fork, behind the face of `subprocess.Popen`."""

    def __init__(self, process: Any) -> None:
        self.process, self.pid = process, int(process.pid)

    def poll(self) -> int | None:
        code: int | None = self.process.exitcode
        return code

    def wait(self) -> int:
        self.process.join()
        return int(self.process.exitcode)

    def kill(self) -> None:
        self.process.kill()  # SIGKILL


def _fork(command: list[str], log: Path) -> Process:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["mirrorenv.cli.app", "mirrorenv.rllib.run", "mirrorenv.results.report.report"]
    )
    process = context.Process(target=_command_line, args=(command, log))
    process.start()
    return _Fork(process)


def _command_line(command: list[str], log: Path) -> None:
    """`python -m mirrorenv ...` in this process."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["mirrorenv", *command[3:]]
    runpy.run_module(command[2], run_name="__main__")


def _run_to_the_end(start: Start, command: list[str], place: Path) -> None:
    log = place / "whole.log"
    for _ in range(_STARTS):
        code = start(command, log).wait()
        if not code:
            return
        if not _last_words(log).startswith(_NO_RAY):
            break
    raise RuntimeError(f"the uninterrupted run failed:\n{log.read_text('utf-8')}")


def _refusal(start: Start, command: list[str], place: Path) -> str:
    """What the changed command says; empty if it does not fail."""
    log = place / "refusal.log"
    code = start(command, log).wait()
    words = _last_words(log)
    return words if code == 1 and words.startswith("error:") else ""


def _last_words(log: Path) -> str:
    return (log.read_text("utf-8").strip().splitlines() or [""])[-1]


def _run_and_kill(start: Start, command: list[str], path: Path, moment: Moment) -> str | None:
    """Start the run and kill it; the phase it died in, or None if it came to its end before."""
    log = path.with_suffix(".log")
    process = start(command, log)
    try:
        moment_came = moment.wait(process)
    finally:
        process.kill()
        code = process.wait()
    if code == -signal.SIGKILL:
        return phase_of(path, process.pid)
    if code == 0:
        return None
    if not moment_came and _last_words(log).startswith(_NO_RAY):
        return NOT_STARTED
    raise RuntimeError(f"the run ended with exit code {code}:\n{log.read_text('utf-8')}")


def as_json(proof: Proof) -> dict[str, Any]:
    """The proof as plain JSON."""
    return {
        **vars(proof),
        "phases": dict(proof.phases),
        "aims": dict(proof.aims),
        "holds": proof.holds,
    }
