"""Who recognises what: own text against another's, and lineups through the package's Belief and
Score.

Shape legend: B lineups, J observers, K slots, N players (J = K = N).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorenv.mirror import Belief, score_belief
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import rate_interval, t_interval
from mirrorenv.mirror.lineup import lineup_permutations

__all__ = ["assigned", "observer_evidence", "pairwise", "recognition", "scored"]


def pairwise(values: Floats64) -> tuple[Floats64, Floats64]:
    """Own against other, by one number for each text.

    Args:
        values: (B, K, N) of the text of author k under player n.

    Returns:
        (B, N) share of others' texts that each player ranks below its own on the same topic (ties
        count half), and the mean margin, own minus other.
    """
    own = np.einsum("bnn->bn", values)  # (B, N)
    margin = own[:, None, :] - values  # (B, K, N)
    others = ~np.eye(values.shape[-1], dtype=bool)
    wins = np.where(margin > 0, 1.0, np.where(margin == 0, 0.5, 0.0))
    count = values.shape[-1] - 1
    return (wins * others).sum(axis=1) / count, (margin * others).sum(axis=1) / count


def assigned(values: Floats64) -> Floats64:
    """Two texts given to their two authors by both likelihoods together, whatever is likely under
    everybody.

    For authors i and j the right way round is log p_i(i) + log p_j(j), the wrong one log p_i(j) +
    log p_j(i): what a text has under both models cancels, so neither length nor plainness decides.

    Args:
        values: (B, K, N) of the text of author k under player n.

    Returns:
        (B,) share of the N (N - 1) / 2 pairs on a topic that come out the right way round (ties
        count half).
    """
    own = np.einsum("bkk->bk", values)  # (B, K)
    better = own[:, :, None] - values  # (B, K, N) each text under its author, over the same under n
    # (B, N, N); exactly 0 for players that are one model
    margin = better + better.transpose(0, 2, 1)
    first, second = np.triu_indices(values.shape[-1], 1)
    pairs = margin[:, first, second]
    found: Floats64 = np.where(pairs > 0, 1.0, np.where(pairs == 0, 0.5, 0.0)).mean(axis=1)
    return found


def observer_evidence(by_player: Floats64, untouched: Floats64) -> Floats64:
    """(B, J, K, N) what each player knows of a lineup: its own likelihood, and no other.

    Observer j's evidence that it wrote text k is log p_j(k) - log p(k), p being the untouched
    model; for all others it has none, so they share one value.

    Args:
        by_player: (B, K, N) nats.
        untouched: (B, K) nats.
    """
    batch, slots, players = by_player.shape
    evidence = np.zeros((batch, players, slots, players))
    for player in range(players):
        evidence[:, player, :, player] = by_player[:, :, player] - untouched
    return evidence


def recognition(
    by_player: Floats64, untouched: Floats64, lengths: Floats64, run: str
) -> dict[str, Any]:
    """All figures of recognition.

    Args:
        by_player: (B, K, N) nats of the text of author k under player n.
        untouched: (B, K) nats under the untouched model.
        lengths: (B, K) tokens.
        run: names the shuffle.

    Returns:
        by way of comparing (`sum`, `per_token`, `pmi`): `joint` accuracy with its interval
        over lineups, that of each player, margins; `assigned` as in :func:`assigned`; `lineup`
        and `limit`, as
        :class:`~mirrorenv.mirror.Score`; `self_advantage` in nats per token: how much better
        authors predict their own texts than the others do.
    """
    ways = {
        "sum": by_player,
        "per_token": by_player / lengths[..., None],
        "pmi": by_player - untouched[..., None],
    }
    row: dict[str, Any] = {"lineups": len(by_player)}
    for name, values in ways.items():
        accuracy, margin = pairwise(values)
        row[name] = {
            "joint": rate_interval(accuracy.mean(axis=1)).to_dict(),
            "players": accuracy.mean(axis=0).tolist(),
            "margin": t_interval(margin.mean(axis=1)).to_dict(),
            "margins": margin.mean(axis=0).tolist(),
        }
    row["assigned"] = rate_interval(assigned(by_player)).to_dict()
    row["lineup"] = scored(observer_evidence(by_player, untouched), run)
    row["limit"] = scored(by_player[:, None], run)
    row["self_advantage"] = t_interval(_advantage(by_player / lengths[..., None])).to_dict()
    return row


def _advantage(per_token: Floats64) -> Floats64:
    """(B,) nats per token: a text under its author's model minus its mean under the others'."""
    size = per_token.shape[-1]
    own = np.einsum("bnn->bn", per_token)
    found: Floats64 = (own - (per_token.sum(axis=2) - own) / (size - 1)).mean(axis=1)
    return found


def scored(evidence: Floats64, run: str) -> dict[str, Any]:
    """Shuffle each lineup for each observer, and score what it believes.

    Args:
        evidence: (B, J, K, N) nats, slots in author order.
        run: names the shuffle.
    """
    batch, observers, slots, _ = evidence.shape
    orders = np.stack(
        [
            lineup_permutations(run, np.arange(batch), observer, slots)
            for observer in range(observers)
        ],
        axis=1,
    )  # (B, J, K)
    shuffled = np.take_along_axis(evidence, orders[..., None], axis=2)
    figures = score_belief(Belief(shuffled), orders, decode="marginals").to_dict()
    names = ("top1", "exact", "information", "self_dprime", "self_advantage")
    return {name: figures[name] for name in names}
