"""Codes for hidden states: codebooks that are fitted, refitted, or follow their means, and one that
needs no fit.

What is measured about refits (`docs/self-modelling.md`): a fresh k-means gives every state a new
number, and whoever predicts numbers starts over; a codebook that follows its means has no such
event.

Shapes: N agents, one codebook each; R rows; H hidden; K codes; L coordinates.
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from mirrorenv.population.objectives.updates import all_reduced

__all__ = [
    "Codebook",
    "FiniteScalars",
    "cross_counts",
    "from_first_learner",
    "k_means",
    "nearest",
    "sums_by_code",
]

ROUNDS = 10
"""Rounds of Lloyd's algorithm in a fit."""


class Codebook(nn.Module):
    """K codes for each agent; a row's code is the nearest.

    Args:
        agents: N.
        codes: K.
        width: H.
        generator: source of the codes before anything is fitted: random directions.
    """

    codes: Tensor
    sums: Tensor
    """What codes move to: sums of the rows they stand for (`follow`), or new means
    (`refit_warm`)."""
    counts: Tensor

    def __init__(self, agents: int, codes: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        start = torch.randn(agents, codes, width, generator=generator)
        self.register_buffer("codes", start)
        self.register_buffer("sums", start.clone())
        self.register_buffer("counts", torch.ones(agents, codes))

    @property
    def size(self) -> int:
        """K."""
        return self.codes.shape[1]

    @torch.no_grad()
    def assign(self, rows: Tensor) -> Tensor:
        """(N, R, H) -> (N, R) int64."""
        return nearest(rows, self.codes)

    def fit(self, rows: Tensor, draws: torch.Generator) -> None:
        """Codes from nothing: k-means++ and Lloyd's algorithm on rows (N, R, H)."""
        start = plus_plus(rows, self.size, draws)
        self.replace(k_means(rows, start))

    def refit_warm(self, rows: Tensor) -> None:
        """Lloyd's algorithm from the present codes. What it finds is aimed at: `ease` goes there.

        Codes that jumped there at once would give some states another number between two updates,
        which whoever predicts numbers pays for: .046 [.006, .086] nats, see `docs/figures.md`.
        """
        self.sums.copy_(from_first_learner(k_means(rows, self.codes)))

    def ease(self, share: float) -> None:
        """Move codes this share of the way to what `refit_warm` found."""
        self.codes.lerp_(self.sums, share)

    def refit_matched(self, rows: Tensor, draws: torch.Generator) -> None:
        """Codes from nothing, numbered so that as many rows as possible keep their number (Kuhn's
        Hungarian method on how often an old and a new code meet)."""
        before = self.assign(rows)
        fresh = k_means(rows, plus_plus(rows, self.size, draws))
        meet = cross_counts(before, nearest(rows, fresh), self.size)  # (N, K old, K new)
        for agent, table in enumerate(meet.cpu().numpy()):
            old, new = linear_sum_assignment(table, maximize=True)
            kept = fresh[agent].clone()
            fresh[agent, torch.from_numpy(old)] = kept[torch.from_numpy(new)]
        self.replace(fresh)

    def replace(self, codes: Tensor) -> None:
        """Take over codes (N, K, H) of the first learner; their counts start over."""
        self.codes.copy_(from_first_learner(codes))
        self.sums.copy_(self.codes)
        self.counts.fill_(1.0)

    def follow(self, sums: Tensor, counts: Tensor, keep: float) -> None:
        """Move codes towards the means of what they stand for (van den Oord et al. 2017, appendix
        A.1: moving averages of sums and counts), over all learners.

        Args:
            sums: (N, K, H) of the rows of each code; see `sums_by_code`.
            counts: (N, K), how many there are.
            keep: share of sums and counts that stays.
        """
        self.sums.lerp_(all_reduced(sums), 1.0 - keep)
        self.counts.lerp_(all_reduced(counts), 1.0 - keep)
        used = self.counts > 1e-3
        means = self.sums / self.counts.clamp_min(1e-3).unsqueeze(-1)
        self.codes.copy_(torch.where(used.unsqueeze(-1), means, self.codes))

    def dead(self, below: float) -> Tensor:
        """Which codes stand for less than `below` of an even share: (N, K) bool."""
        return self.counts < below * self.counts.mean(1, keepdim=True)

    def revive(self, dead: Tensor, rows: Tensor, among: Tensor, draws: torch.Generator) -> None:
        """Put rows in the place of dead codes.

        Args:
            dead: (N, K) bool.
            rows: (N, R, H).
            among: (N, R') int64, the rows that may be chosen.
            draws: source of the choice.
        """
        chosen = torch.randint(among.shape[1], (len(rows), self.size), generator=draws)
        index = among.gather(1, chosen.to(rows.device)).unsqueeze(-1)  # (N, K, 1)
        found = from_first_learner(rows.gather(1, index.expand(-1, -1, rows.shape[-1])))
        mean = self.counts.mean(1, keepdim=True).expand_as(dead)
        self.codes.copy_(torch.where(dead.unsqueeze(-1), found, self.codes))
        self.counts.copy_(torch.where(dead, mean, self.counts))
        total = self.codes * self.counts.unsqueeze(-1)
        self.sums.copy_(torch.where(dead.unsqueeze(-1), total, self.sums))


class FiniteScalars(nn.Module):
    """Finite scalar quantisation (Mentzer et al. 2023, arXiv 2309.15505): a few coordinates, each
    bounded and rounded to a few levels. Nothing to fit, so nothing to collapse or to renumber.

    The paper learns the coordinates with a decoder. Here they are fixed random directions,
    standardised by moving averages.

    Args:
        agents: N.
        levels: of each coordinate; K is their product.
        width: H.
        generator: source of the directions.
    """

    directions: Tensor
    mean: Tensor
    square: Tensor

    def __init__(
        self, agents: int, levels: tuple[int, ...], width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.levels = levels
        self.size = 1
        for count in levels:
            self.size *= count
        directions = torch.randn(agents, width, len(levels), generator=generator)
        self.register_buffer("directions", directions / width**0.5)
        self.register_buffer("mean", torch.zeros(agents, 1, len(levels)))
        self.register_buffer("square", torch.ones(agents, 1, len(levels)))

    @torch.no_grad()
    def assign(self, rows: Tensor) -> Tensor:
        """(N, R, H) -> (N, R) int64."""
        spread = (self.square - self.mean.square()).clamp_min(1e-6).sqrt()
        bounded = torch.tanh((rows @ self.directions - self.mean) / spread)  # (N, R, L)
        code = torch.zeros(rows.shape[:2], dtype=torch.int64, device=rows.device)
        for place, count in enumerate(self.levels):
            step = ((bounded[..., place] + 1) / 2 * count).floor().clamp(0, count - 1)
            code = code * count + step.long()
        return code

    def follow(self, rows: Tensor, live: Tensor, keep: float) -> None:
        """Let mean and spread of the coordinates follow, over all learners.

        Args:
            rows: (N, R, H) hidden states.
            live: (N, R) float32, 1 for rows that count.
            keep: share of the old mean that stays, in [0, 1).
        """
        seen = rows @ self.directions  # (N, R, L)
        weight = live.unsqueeze(-1)
        count = all_reduced(weight.sum(1, keepdim=True)).clamp_min(1.0)
        self.mean.lerp_(all_reduced((seen * weight).sum(1, keepdim=True)) / count, 1.0 - keep)
        self.square.lerp_(
            all_reduced((seen.square() * weight).sum(1, keepdim=True)) / count, 1.0 - keep
        )


def sums_by_code(rows: Tensor, codes: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """What the rows of each code sum to, and how many there are.

    Args:
        rows: (N, R, H).
        codes: (N, R) int64.
        live: (N, R), the rows that count.
        count: K.

    Returns:
        (N, K, H) and (N, K).
    """
    which = nn.functional.one_hot(codes, count).to(rows.dtype)  # (N, R, K)
    which = which * live.unsqueeze(-1)
    return which.transpose(1, 2) @ rows, which.sum(1)


def nearest(rows: Tensor, codes: Tensor) -> Tensor:
    """(N, R, H), (N, K, H) -> (N, R) int64."""
    size = 0.5 * codes.square().sum(-1).unsqueeze(1)  # (N, 1, K)
    return torch.baddbmm(size, rows, codes.transpose(1, 2), alpha=-1.0).min(-1).indices


def plus_plus(rows: Tensor, codes: int, draws: torch.Generator) -> Tensor:
    """Starting points of k-means (Arthur and Vassilvitskii 2007): each drawn with a chance that
    grows with the squared distance to those before.

    Args:
        rows: (N, R, H), R at least `codes`.
        codes: K.
        draws: source of the choice.

    Returns:
        (N, K, H).
    """
    agents = len(rows)
    distance = torch.ones(rows.shape[:2])  # (N, R)
    chosen = []
    for _ in range(codes):
        index = torch.multinomial(distance.clamp_min(1e-12).cpu(), 1, generator=draws)
        point = rows[torch.arange(agents), index.squeeze(1).to(rows.device)].unsqueeze(1)
        chosen.append(point)
        nearer = (rows - point).square().sum(-1).cpu()
        distance = nearer if len(chosen) == 1 else torch.minimum(distance, nearer)
    return torch.cat(chosen, 1)


def k_means(rows: Tensor, start: Tensor) -> Tensor:
    """Lloyd's algorithm: rows (N, R, H) and starting points (N, K, H) -> codes (N, K, H). A code
    without a row stays where it is."""
    codes = start.clone()
    for _ in range(ROUNDS):
        which = nn.functional.one_hot(nearest(rows, codes), codes.shape[1]).to(rows.dtype)
        counts = which.sum(1).unsqueeze(-1)  # (N, K, 1)
        means = which.transpose(1, 2) @ rows / counts.clamp_min(1.0)
        codes = torch.where(counts > 0, means, codes)
    return codes


def cross_counts(one: Tensor, other: Tensor, codes: int, live: Tensor | None = None) -> Tensor:
    """How often two numbers meet: (N, R) int64 twice -> (N, K, K) float32.

    Args:
        one: numbers of the first axis.
        other: numbers of the second.
        codes: K.
        live: (N, R), the rows that count; all if not given.
    """
    agents = len(one)
    found = torch.zeros(agents, codes * codes, device=one.device)
    weight = torch.ones_like(one, dtype=torch.float32) if live is None else live
    found.scatter_add_(1, one * codes + other, weight)
    return found.view(agents, codes, codes)


def from_first_learner(values: Tensor) -> Tensor:
    """The first learner's values on every learner. Every one has to call it."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized() and distributed.get_rank():
        values = torch.zeros_like(values)
    return all_reduced(values)
