"""A preference run is killed with SIGKILL at random moments and started again with the same
command.

    python benchmarks/proofs/prefer_kills.py [--kills 20] [--seed 0]

Every command is a process of its own, forked from one that has imported the package, so that many
kills are cheap. Moments are seen from the run folder: before anything is written, while texts,
checkpoints, other files or the tuned voices are written, and some time after an evaluation, while
the next round trains or measures. Each run is compared with one that nobody disturbed, byte by
byte: texts, evaluations, metrics, data card, checkpoints with adapters and optimisers, and the
tuned voices. Exit code 1 if anything differs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import Script, say
from tests.preference.kills import prove_resume
from tests.preference.tiny_model import make_tiny_model


def main() -> int:
    """Run the proof and print it."""
    script = Script(__doc__, seed=0)
    script.add_argument("--kills", type=int, default=20)
    options = script.parse()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        model.mkdir()
        proof = prove_resume(
            Path(folder),
            make_tiny_model(model),
            options.kills,
            seed=options.seed,
            say=say,
        )
    for moment, count in sorted(proof.moments.items()):
        print(f"{count:3} kills {moment}")
    print(
        f"{proof.kills} kills, {proof.runs} runs brought to their end, files that differ: "
        f"{len(proof.differences)}"
    )
    for difference in proof.differences:
        print(f"  {difference}")
    return 1 if proof.differences else 0


if __name__ == "__main__":
    sys.exit(main())
