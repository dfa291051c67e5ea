"""A tournament is killed with SIGKILL at random moments and started again with the same command.

    python benchmarks/proofs/debate_kills.py [--kills 50] [--games 20] [--rounds 8] [--seed 0]

Four of five kills come after a random number of logged bytes, one at a random time of a process's
first two seconds. Each tournament is then compared with one that nobody disturbed: the calls in the
log, the bytes of the final table, the transcript of every game. Exit code 1 if anything was lost,
doubled or changed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

# the killer is part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.debate_kills import prove_resume


def main() -> int:
    """Run the proof and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--games", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    size = {"seed": options.seed, "games": options.games, "rounds": options.rounds}
    with tempfile.TemporaryDirectory() as folder:
        proof = prove_resume(
            Path(folder), options.kills, say=lambda line: print(line, file=sys.stderr), **size
        )
    print(f"{proof.kills} kills, {proof.while_starting} of them before anything was logged")
    print(f"{proof.tournaments} tournaments of {proof.calls} calls brought to their end in between")
    print(f"calls repeated or lost, tables or transcripts that differ: {len(proof.differences)}")
    for difference in proof.differences:
        print(f"  {difference}")
    return 1 if proof.differences else 0


if __name__ == "__main__":
    sys.exit(main())
