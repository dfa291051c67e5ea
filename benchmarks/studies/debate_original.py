"""What the game of 2024 pays for no recognition at all: copying one's own text, and one constant
answer.

The original shuffled with one fixed seed, so that its eleven orders are the same in every run.
Under them this plays the preset `original` with players that recognise nobody, and prints hits of
44. Any claim of success must beat them.

    python benchmarks/studies/debate_original.py
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script
from mirrorenv.debate import AgentCard, load_topics, make_player, preset
from mirrorenv.debate.players import Reply
from mirrorenv.debate.playing import play_game
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.views import View
from mirrorenv.mirror import t_interval

# of the original
SEED = 42
PLAYERS = 4
ROUNDS = 11


def original_orders() -> tuple[tuple[int, ...], ...]:
    """The orders that `random.seed(42)` gives a fresh list of four in each of eleven rounds."""
    source = random.Random(SEED)
    orders = []
    for _ in range(ROUNDS):
        order = list(range(PLAYERS))
        source.shuffle(order)
        orders.append(tuple(order))
    return tuple(orders)


def hits(cards: list[AgentCard], games: int, *, fixed: bool = True) -> dict[str, list[float]]:
    """Texts attributed rightly in each game, by card; at most 44."""
    rules = preset("original", {"orders": original_orders()} if fixed else {})
    judge = AgentCard(name="judge", player="random")
    tournament = Tournament(
        "original", 0, games, 1, rules, load_topics(rules.topics), tuple(cards), judge, None, False
    )
    players = {card.name: make_player(card) for card in cards}

    async def call(card: AgentCard, view: View) -> Reply:
        reply: Reply = await getattr(players[card.name], view.phase)(view)
        return reply

    found: dict[str, list[float]] = {card.name: [] for card in cards}
    for game in range(games):
        debate = asyncio.run(play_game(tournament, game, call))
        for seat, card in enumerate(tournament.seats(game)):
            found[cards[card].name].append(sum(one.hits[seat] for one in debate.rounds))
    return found


def constants() -> Mapping[tuple[int, ...], float]:
    """Hits of every constant answer, players counted from 0 as in the original."""
    answers = list(itertools.permutations(range(PLAYERS)))
    result = {}
    for first in range(0, len(answers), PLAYERS):
        group = answers[first : first + PLAYERS]
        cards = []
        for k, answer in enumerate(group):
            order = [player + 1 for player in answer]  # a card counts from 1
            cards.append(AgentCard(name=f"c{k}", player="constant", options={"order": order}))
        found = hits(cards, 1)
        result.update({answer: found[f"c{k}"][0] for k, answer in enumerate(group)})
    return result


def main() -> None:
    """Measure and print."""
    script = Script(__doc__, json=True)
    script.add_argument(
        "--games", type=int, default=100, help="games of the players that draw by chance"
    )
    options = script.parse()
    four = range(PLAYERS)
    copied = np.concatenate(
        list(
            hits([AgentCard(name=f"p{k}", player="copy-own") for k in four], options.games).values()
        )
    )
    guessed = np.concatenate(
        list(hits([AgentCard(name=f"p{k}", player="random") for k in four], options.games).values())
    )
    fixed = constants()
    best = max(fixed, key=lambda answer: fixed[answer])
    own = hits(
        [AgentCard(name=f"p{k}", player="constant") for k in four], options.games, fixed=False
    )
    # all four see one order and give one answer: a game is one observation
    drawn = np.array(own["p0"])
    figures = {
        "orders": [list(order) for order in original_orders()],
        "copy_own": {
            "mean": copied.mean(),
            "sd": copied.std(ddof=1),
            "p95": float(np.quantile(copied, 0.95)),
        },
        "random": {
            "mean": guessed.mean(),
            "sd": guessed.std(ddof=1),
            "p95": float(np.quantile(guessed, 0.95)),
        },
        "best_constant": {"answer": list(best), "hits": fixed[best]},
        "constant_0123": fixed[tuple(four)],
        "constant_with_drawn_orders": t_interval(drawn).to_dict(),
        "games": options.games,
    }
    print(f"of {PLAYERS * ROUNDS} items, {options.games} games of four alike")
    for name in ("copy_own", "random"):
        print(
            f"{name:14} mean {figures[name]['mean']:.2f}  sd {figures[name]['sd']:.2f}  95 % "
            f"{figures[name]['p95']:.0f}"
        )
    equal = ["".join(map(str, answer)) for answer in fixed if fixed[answer] == fixed[best]]
    print(
        f"best constant  {fixed[best]:.0f} of 44: {' or '.join(sorted(equal))}; always 0123: "
        f"{fixed[tuple(four)]:.0f}"
    )
    print(f"constant, orders drawn by the key of each round: {t_interval(drawn)}")
    script.save(figures)


if __name__ == "__main__":
    main()
