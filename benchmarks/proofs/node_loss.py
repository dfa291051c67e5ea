"""Two Ray nodes on one machine, one of them removed while a population trains: what happens to the
run?

    python benchmarks/proofs/node_loss.py --lose runner
    python benchmarks/proofs/node_loss.py --lose learner

A head node holds the driver; a second node holds one of two env runners, or the learner. After the
fifth iteration the second node is killed. Prints each iteration, and one JSON object at the end:
the episodes of each iteration, the error if the run stopped, and whether the same call, on a new
cluster, goes on from the last checkpoint to the end. Nodes are processes here: this shows what Ray
and the trainer do, not what a network does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script

os.environ.setdefault("RAY_worker_niceness", "0")

import ray
from ray.cluster_utils import Cluster

from mirrorenv.results import RunFolder
from mirrorenv.rllib import RunSettings, load_settings, train
from mirrorenv.rllib.run import Progress

ITERATIONS = 24
EPISODES = 32
HORIZON = 8
LOSE_AFTER = 5


def two_nodes(lose: str) -> tuple[Cluster, Any]:
    """A head with room for the driver, and a second node with room for what is to be lost."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2 if lose == "runner" else 1}
    )
    second = cluster.add_node(num_cpus=1 if lose == "runner" else 2)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    return cluster, second


def settings_for(lose: str) -> RunSettings:
    """A small run with two actors of the kind that is to be lost."""
    return load_settings(
        "mirrorenv/ants-v0",
        (),
        [
            f"world_options.horizon={HORIZON}",
            f"total_steps={ITERATIONS * EPISODES * HORIZON}",
            f"learning.episodes_per_iteration={EPISODES}",
            "learning.minibatch_episodes=16",
            "learning.epochs=1",
            "evaluation.checkpoints=12",
            "evaluation.episodes=8",
            "evaluation.baselines=false",
            f"resources.{lose}s=2" if lose == "learner" else "resources.env_runners=2",
        ],
    )


def attempt(lose: str, folder: Path, *, kill: bool) -> None:
    """Train on a new cluster and print what happened; with `kill`, the second node dies on the
    way."""
    rows: list[dict[str, Any]] = []
    cluster, second = two_nodes(lose)
    began = last = time.perf_counter()
    steps = 0

    def iteration(row: dict[str, Any]) -> None:
        nonlocal last, steps
        now = time.perf_counter()
        # what came before, if this is a resumed run
        steps = steps or (row["iteration"] - 1) * EPISODES * HORIZON
        done = {"iteration": row["iteration"], "episodes": (row["env_steps"] - steps) // HORIZON}
        rows.append({**done, "seconds": round(now - last, 1), "at": round(now - began, 1)})
        last = now
        steps = row["env_steps"]
        print(rows[-1], flush=True)
        if kill and row["iteration"] == LOSE_AFTER:
            print("the second node is killed", flush=True)
            cluster.remove_node(second, allow_graceful=False)

    error = None
    try:
        train(settings_for(lose), folder, progress=Progress(iteration=iteration))
    except Exception as stopped:  # whatever it is, it is the finding
        error = f"{type(stopped).__name__}: {str(stopped).strip().splitlines()[0]}"
        print("stopped:", error, flush=True)
    print(
        json.dumps({"iterations": rows, "error": error, "status": RunFolder.open(folder).status}),
        flush=True,
    )
    cluster.shutdown()  # and no ray.shutdown: its goodbye to a node that is gone takes minutes


def in_a_process(*words: str) -> dict[str, Any]:
    """What an attempt in a process of its own found: nothing of the lost cluster is left for the
    next one."""
    process = subprocess.Popen(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found: dict[str, Any] | None = None
    for line in process.stdout:
        if line.startswith('{"'):
            found = json.loads(line)
        else:
            print(line, end="", flush=True)
    process.wait()
    if found is None:
        raise SystemExit(f"the attempt ended without an answer, exit code {process.returncode}")
    return found


def main() -> None:
    """Run it."""
    script = Script(__doc__)
    script.add_argument("--lose", choices=("runner", "learner"), default="runner")
    script.add_argument("--attempt", choices=("kill", "resume"), help="only this part, in --folder")
    script.add_argument("--folder", type=Path)
    options = script.parse()
    if options.attempt:
        attempt(options.lose, options.folder, kill=options.attempt == "kill")
        os._exit(0)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        words = ("--lose", options.lose, "--folder", str(Path(temporary) / "run"))
        answer = in_a_process(*words, "--attempt", "kill")
        resumed = None
        if answer["error"] is not None:
            again = in_a_process(*words, "--attempt", "resume")
            resumed = [row["iteration"] for row in again["iterations"]]
            answer["status"] = again["status"]
    print(json.dumps({"lost": options.lose, **answer, "resumed": resumed}))


if __name__ == "__main__":
    main()
