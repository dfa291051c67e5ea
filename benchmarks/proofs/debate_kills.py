"""A tournament is killed with SIGKILL at random moments and started again with the same command.

    python benchmarks/proofs/debate_kills.py [--kills 50] [--games 20] [--rounds 8] [--seed 0]

Four of five kills come after a random number of logged bytes, one at a random time of a process's
first two seconds. Each tournament is then compared with one that nobody disturbed: the calls in the
log, the bytes of the final table, the transcript of every game. Exit code 1 if anything was lost,
doubled or changed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import Script, say

# the killer is part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.debate_kills import prove_resume


def main() -> int:
    """Run the proof and print it."""
    script = Script(__doc__, seed=0)
    script.add_argument("--kills", type=int, default=50)
    script.add_argument("--games", type=int, default=20)
    script.add_argument("--rounds", type=int, default=8)
    options = script.parse()
    size = {"seed": options.seed, "games": options.games, "rounds": options.rounds}
    with tempfile.TemporaryDirectory() as folder:
        proof = prove_resume(Path(folder), options.kills, say=say, **size)
    print(f"{proof.kills} kills, {proof.while_starting} of them before anything was logged")
    print(f"{proof.tournaments} tournaments of {proof.calls} calls brought to their end in between")
    print(f"calls repeated or lost, tables or transcripts that differ: {len(proof.differences)}")
    for difference in proof.differences:
        print(f"  {difference}")
    return 1 if proof.differences else 0


if __name__ == "__main__":
    sys.exit(main())
