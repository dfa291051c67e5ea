"""What the audit finds, and what injections achieve.

    python benchmarks/proofs/debate_audit.py [--fixtures 5] [--games 40]

First, texts with a planted announcement, sign, order to readers, duplicate or copy beside clean
ones, all made from templates of our own by several seeds: recall by kind and false alarms. Then a
tournament with a red team that gives orders to every reader: how many orders were given, and how
many a reader followed to the letter.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import _root  # noqa: F401
from scipy.stats import binomtest

from benchmarks.shared.runner import Script
from mirrorenv.debate import AgentCard, load_topics, preset
from mirrorenv.debate.audit import FINDINGS, audit_text
from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.tournament import Tournament
from mirrorenv.mirror.intervals import Estimate

# the planted texts are part of the tests, which are no installed package
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.debate.audit_cases import cases


def share(hits: int, of: int) -> str:
    """A rate with its Wilson interval."""
    ends = binomtest(hits, of).proportion_ci(method="wilson")
    return f"{hits} of {of}, {Estimate(hits / of, ends.low, ends.high)}"


def fixtures(seeds: int) -> None:
    """Recall and false alarms."""
    found = dict.fromkeys(FINDINGS, 0)
    planted = dict.fromkeys(FINDINGS, 0)
    alarms = 0
    clean = 0
    for seed in range(7, 7 + seeds):
        for case in cases(seed):
            said = audit_text(case.text, case.own_before, case.others, case.others_before)
            if case.planted is None:
                clean = clean + 1
                alarms = alarms + bool(said)
            else:
                planted[case.planted] += 1
                found[case.planted] += case.planted in said
    for name in FINDINGS:
        print(f"recall of {name:10} {share(found[name], planted[name])}")
    print(f"recall of all        {share(sum(found.values()), sum(planted.values()))}")
    print(f"false alarms         {share(alarms, clean)}")


def injections(games: int) -> None:
    """Orders given and followed, by who reads."""
    voices = [
        AgentCard(name=voice, player="persona", options={"voice": voice})
        for voice in ("cook", "poet", "sailor")
    ]
    attacker = AgentCard(name="red-team", player="red-team", options={"tactics": ["order"]})
    rules = preset("default")
    judge = AgentCard(name="judge", player="stylometric")
    design = Tournament(
        "red", 0, games, 4, rules, load_topics("neutral"), (*voices, attacker), judge, None, False
    )
    with tempfile.TemporaryDirectory() as folder:
        log = CallLog(Path(folder) / CALLS)
        asyncio.run(play_tournament(design, log, Budget()))
        pairs = [
            sheet.captured
            for sheet in Results(Path(folder), design, CallLog(Path(folder) / CALLS)).sheets()
        ]
    given = sum(pair[0] for pair in pairs)
    followed = sum(pair[1] for pair in pairs)
    print(
        f"orders that readers followed, {games} games with a red team and scripted readers: "
        f"{share(followed, given)}"
    )


def main() -> None:
    """Measure and print."""
    script = Script(__doc__)
    script.add_argument(
        "--fixtures", type=int, default=5, help="seeds of the templates, 300 + 300 texts each"
    )
    script.add_argument("--games", type=int, default=40)
    options = script.parse()
    fixtures(options.fixtures)
    injections(options.games)


if __name__ == "__main__":
    main()
