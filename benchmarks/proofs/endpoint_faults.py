"""Servers that misbehave, against the client: what is read rightly, said, or believed in silence.

    python benchmarks/proofs/endpoint_faults.py

`right`: the words it should read, and nothing to say. `said`: the call fails with a message, or
the answer carries a reason to stop, a failed try or an estimate. `silent`: anything else.
"""

from __future__ import annotations

import asyncio
import sys

import _root  # noqa: F401

from benchmarks.shared.runner import Script
from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.players import CallFailed, make_player
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.testing.endpoints import ENDPOINT_FAULTS, EndpointFault, faulty_endpoint


def outcome(fault: EndpointFault) -> tuple[str, str]:
    """Right, said or silent, and the words for it."""
    view = Debate(preset("default"), load_topics("neutral")).view(0)
    with faulty_endpoint(fault) as server:
        endpoint = Endpoint(
            model="m", base_url=server.url, profile="compatible", retries=1, timeout=2.0
        )
        card = AgentCard(name="a", player="endpoint", endpoint=endpoint)

        async def asked():
            player = make_player(card)
            try:
                return await player.speak(view)
            finally:
                await player.close()

        try:
            reply = asyncio.run(asked())
        except CallFailed as error:
            return "said", str(error).split("/v1: ")[-1]
    told = [f"{reply.stop}"] if reply.stop != "stop" else []
    told += ["estimated"] if reply.usage.estimated else []
    told += [f"{len(reply.attempts)} failed tries"] if reply.attempts else []
    if told:
        whole = fault.right is None or reply.text == fault.right
        return ("said" if whole else "silent"), f"{reply.text!r}: {', '.join(told)}"
    return ("right" if reply.text == fault.right else "silent"), repr(reply.text)


def main() -> None:
    """Print the table; exit code 1 if anything was silent."""
    Script(__doc__).parse()
    counts = dict.fromkeys(("right", "said", "silent"), 0)
    for name, fault in ENDPOINT_FAULTS.items():
        how, words = outcome(fault)
        counts[how] += 1
        print(f"{name:26} {how:7} {words[:110]}", flush=True)
    print(f"{len(ENDPOINT_FAULTS)} kinds: " + ", ".join(f"{n} {how}" for how, n in counts.items()))
    sys.exit(bool(counts["silent"]))


if __name__ == "__main__":
    main()
