"""Resume, proved: a small run is killed with SIGKILL at random moments and started again with the
same command.

    python benchmarks/proofs/resume_proof.py [--kills 50] [--seed 0] [--iterations 300]
        [--checkpoints 15] [--as-typed] [--json FILE]

Once without interruption; then again and again with kills, each run until it comes to its end.
Metrics, evaluations, weights and the state of the optimisers must be those of the uninterrupted
run, bit for bit; columns that are times are left out. Two of five kills come after a uniformly
random one of the iterations that are left, one at a uniformly random moment of the run's wall-clock
time, start-up included; one waits until a checkpoint is being written, one until the report is. To
spare time, one Ray stands all the while and each start is a fork of a process that has done the
imports; with --as-typed each start is a fresh `python -m mirrorenv train` with its own Ray. Exit
code 1 if anything differs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import Script, machine, say

# the killer is part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.kills import as_json, prove


def main() -> int:
    """Run the proof and print it."""
    script = Script(__doc__, json=True, seed=0)
    script.add_argument("--kills", type=int, default=50, help="how many kills")
    script.add_argument("--iterations", type=int, default=300, help="length of the run")
    script.add_argument("--checkpoints", type=int, default=15, help="spread over the run")
    script.add_argument(
        "--as-typed",
        action="store_true",
        help="let every start import and bring its own Ray (slow)",
    )
    options = script.parse()
    with tempfile.TemporaryDirectory(prefix="mr", ignore_cleanup_errors=True) as place:
        proof = prove(
            options.kills,
            Path(place),
            options.seed,
            say=say,
            forked=not options.as_typed,
            iterations=options.iterations,
            checkpoints=options.checkpoints,
        )
    print(f"an uninterrupted run: {options.iterations} iterations, {proof.whole_seconds:.1f} s")
    print(f"{proof.kills} kills in {proof.finished} runs (up to {proof.most_kills} in one)\n")
    print("| killed while | times |\n|---|---|")
    for phase, count in proof.phases.most_common():
        print(f"| {phase} | {count} |")
    if proof.not_started:
        print(
            "\nstarts that ended by themselves, since Ray did not come up in time: "
            f"{proof.not_started}"
        )
    print(
        f"\nruns that ended as the uninterrupted one, bit for bit: {proof.identical} of "
        f"{proof.finished}"
    )
    for difference in proof.differences:
        print(f"  {difference}")
    print(f"a changed configuration: {proof.refusal or 'NOT REFUSED'}")
    size = {"iterations": options.iterations, "checkpoints": options.checkpoints}
    how = {"seed": options.seed, "as_typed": options.as_typed, **size}
    script.save({"benchmark": "resume_proof", **how, **machine(), **as_json(proof)})
    return 0 if proof.holds else 1


if __name__ == "__main__":
    sys.exit(main())
