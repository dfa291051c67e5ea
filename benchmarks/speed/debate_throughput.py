"""How well a tournament keeps an endpoint busy: calls a second against a server on loopback, beside
the ideal.

The server is a process of its own that answers after a fixed latency and counts how many it has in
hand. The ideal is cap / latency; what is missing is the client, the log (a synced write before each
answer is used), the live view (terminal and page) and the game's order: a phase begins when the one
before has ended. On a machine
that is busy with other work the share says little; the processor time of the client, which is
printed beside it, says what one core could do.

    python benchmarks/speed/debate_throughput.py [--latency 0.05] [--cap 8] [--games 200]
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import _root  # noqa: F401

from benchmarks.shared.runner import Script
from mirrorenv.cli._common import console
from mirrorenv.cli.debate_live import live
from mirrorenv.debate import AgentCard, load_topics, preset
from mirrorenv.debate.calls import Budget
from mirrorenv.debate.cards import Endpoint
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.tournament import Tournament

VERDICT = '{"A": "P1", "B": "P2", "C": "P3", "D": "P4"}'


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float, hand: list[int]
) -> None:
    """Serve one connection: any request gets the same answer after the latency."""
    message = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": VERDICT},
    }
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    data = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "model": "stub",
            "choices": [message],
            "usage": usage,
        }
    )
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    while True:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().splitlines()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        length = next(
            int(line.split(":")[1]) for line in lines if line.startswith("content-length")
        )
        await reader.readexactly(length)
        hand[0] += 1
        hand[1] = max(hand)
        await asyncio.sleep(latency)
        hand[0] -= 1
        writer.write((head + data).encode())


def serve(latency: float, pipe: Connection) -> None:
    """The server's process: sends its port, serves until told to stop, sends the most requests it
    had at once."""

    async def go() -> None:
        hand = [0, 0]
        server = await asyncio.start_server(
            lambda r, w: answer(r, w, latency, hand), "127.0.0.1", 0
        )
        pipe.send(server.sockets[0].getsockname()[1])
        while not pipe.poll():
            await asyncio.sleep(0.05)
        pipe.send(hand[1])

    asyncio.run(go())


def main() -> None:
    """Measure and print."""
    script = Script(__doc__)
    script.add_argument("--latency", type=float, default=0.05, help="seconds for each answer")
    script.add_argument("--cap", type=int, default=8, help="requests in flight at most")
    script.add_argument("--games", type=int, default=200)
    options = script.parse()
    console._force_terminal = True  # the live view is drawn, wherever this prints
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(options.latency, theirs), daemon=True)
    server.start()
    endpoint = Endpoint(
        model="stub",
        base_url=f"http://127.0.0.1:{ours.recv()}/v1",
        profile="compatible",
        concurrency=options.cap,
    )
    rules = preset("default", {"rounds": 1, "judges": 0, "answer_format": "labels"})
    cards = tuple(AgentCard(name=f"m{k}", player="endpoint", endpoint=endpoint) for k in range(4))
    judge = AgentCard(name="judge", player="random")
    tournament = Tournament(
        "speed", 0, options.games, 8, rules, load_topics("neutral"), cards, judge, None, False
    )
    with tempfile.TemporaryDirectory() as folder:
        log = CallLog(Path(folder) / CALLS)
        began = time.perf_counter()
        busy = time.process_time()
        with live(tournament, log, False, Path(folder)) as progress:
            outcome = asyncio.run(play_tournament(tournament, log, Budget(), progress=progress))
        seconds = time.perf_counter() - began
        busy = time.process_time() - busy
    ours.send("stop")
    highest = ours.recv()
    server.join()
    ideal = options.cap / options.latency
    found = outcome.totals.calls / seconds
    print(f"{outcome.totals.calls} calls in {seconds:.2f} s: {found:.1f} a second")
    print(f"ideal {ideal:.0f} a second, share {found / ideal:.2f}")
    each = 1000 * busy / outcome.totals.calls
    print(
        f"processor time of the client {each:.2f} ms a call; above {1000 / ideal:.2f} ms it cannot "
        "keep up on one core"
    )
    print(f"most requests at once {highest}, cap {options.cap}")


if __name__ == "__main__":
    main()
