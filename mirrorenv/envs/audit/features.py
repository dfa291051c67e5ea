"""What a probe may look at: each input as numbers for every slot, with the names of the columns
they come from.

Nothing here sees who is who: every number is a function of one slot, or of the lineup without its
order, so that relabelling the agents of an episode relabels the rows.

Shape legend: E episodes, T time, N agents, C columns of a table, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mirrorenv.envs.audit.exact import ordered_pairs
from mirrorenv.envs.audit.record import AuditRecord
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Floats64

__all__ = ["INPUTS", "Features", "lineup_relations"]


_MANY_COLUMNS = 128
_MANY_STEPS = 512
_MANY_RESPONSES = 256
_MANY_CHOICES = 1024  # of all parts of an action together
_MANY_PAIRS = 20_000_000
_MANY_PRODUCTS = 40
# numbers that differ by less, relatively, differ by rounding: float32 itself resolves 6e-8
_SAME = 1e-9


@dataclass(frozen=True)
class Features:
    """Numbers for each slot.

    Attributes:
        values: (E, P, F), centred within each episode. P is N slots, or N (N - 1) ordered pairs of
            slots.
        columns: F names of the columns that a feature is made of; one name, or two for products.
    """

    values: Floats64
    columns: tuple[tuple[str, ...], ...]

    @property
    def empty(self) -> bool:
        """Whether nothing differs between the slots of any episode."""
        return not self.columns

    def hstack(self, other: Features) -> Features:
        """The features of both."""
        return Features(
            np.concatenate([self.values, other.values], axis=2), self.columns + other.columns
        )


def centred(values: AnyArray, columns: Sequence[tuple[str, ...]]) -> Features:
    """Features less their mean in each episode; those that never differ within an episode are left
    out.

    Args:
        values: (E, P, F) numbers of slots, or of pairs of slots.
        columns: F names of the columns that each is made of.
    """
    wide = np.asarray(values, np.float64)
    inner = wide - wide.mean(axis=1, keepdims=True)
    size = np.abs(wide).max(axis=(0, 1))
    varies = np.abs(inner).max(axis=(0, 1)) > _SAME * size
    kept = np.where(np.abs(inner) > _SAME * size, inner, 0.0)[:, :, varies]
    return Features(kept, tuple(name for name, some in zip(columns, varies, strict=True) if some))


@dataclass(frozen=True)
class _Table:
    """Steps of every slot: (E, T, N, C) numbers, (E, T, N) which of them happened, C names."""

    values: Floats32
    mask: Bools
    names: tuple[str, ...]

    def hstack(self, *others: _Table) -> _Table:
        """The columns of several tables side by side."""
        tables = (self, *others)
        values = np.concatenate([table.values for table in tables], axis=3)
        return _Table(values, self.mask, tuple(name for table in tables for name in table.names))

    def summary(self) -> tuple[list[AnyArray], list[tuple[str, ...]]]:
        """Means over the episode and its quarters, spreads, last values, shares above the
        quartiles, single steps."""
        lived = np.maximum(self.mask.sum(axis=1), 1)[:, :, None]  # (E, N, 1)
        mean = _sum(self.values, self.mask) / lived
        square = _sum(self.values**2, self.mask) / lived
        last = np.take_along_axis(self.values, np.maximum(lived - 1, 0)[:, None], axis=1)[:, 0]
        parts = [mean, np.sqrt(np.maximum(square - mean**2, 1e-12 * square)), last]
        steps = self.mask.shape[1]
        width = self.values.shape[3]
        if width <= _MANY_COLUMNS:
            alive = self.values[self.mask]
            limits = np.quantile(alive, (0.25, 0.5, 0.75), axis=0) if len(alive) else ()
            parts += [
                _sum((self.values > limit).astype(np.float32), self.mask) / lived
                for limit in limits
            ]
            for quarter in np.array_split(np.arange(steps), 4) if steps >= 4 else ():
                here = self.mask[:, quarter]
                parts.append(
                    _sum(self.values[:, quarter], here)
                    / np.maximum(here.sum(axis=1), 1)[:, :, None]
                )
        if steps * width <= _MANY_STEPS:
            parts += [self.values[:, t] for t in range(steps)]
        return parts, [(name,) for _ in parts for name in self.names]

    def features(self, *extra: tuple[AnyArray, str]) -> Features:
        """The summary, and further numbers (E, N) of each slot with their names."""
        parts, names = self.summary()
        parts += [np.asarray(values, np.float64)[:, :, None] for values, _ in extra]
        return centred(np.concatenate(parts, axis=2), names + [(name,) for _, name in extra])


def _sum(values: AnyArray, mask: Bools) -> Floats64:
    """(E, N, C) sums over the steps that happened."""
    total: Floats64 = np.where(mask[..., None], values, 0).sum(axis=1, dtype=np.float64)
    return total


def _observations(record: AuditRecord) -> _Table:
    return _Table(record.observations, record.mask, record.names)


def _actions(record: AuditRecord) -> _Table:
    flat = record.actions.reshape(*record.mask.shape, -1)
    several = record.actions.ndim > record.mask.ndim
    parts: list[AnyArray] = []
    names: list[str] = []
    for i, count in enumerate(record.choices):
        name = f"action[{i}]" if several else "action"
        if count is None:
            parts.append(flat[..., i : i + 1])
            names.append(name)
        else:
            kinds = np.arange(count)
            which = flat[..., i : i + 1]
            if sum(kind or 0 for kind in record.choices) > _MANY_CHOICES:  # bytes, say: their bits
                places = np.arange(int(count - 1).bit_length())
                parts.append((which.astype(np.int64) >> places & 1) * record.mask[..., None])
                names += [f"{name}, bit {place}" for place in places]
            else:
                parts.append((which == kinds) & record.mask[..., None])
                names += [f"{name} = {kind}" for kind in kinds]
    return _Table(np.concatenate(parts, axis=3).astype(np.float32), record.mask, tuple(names))


def _rewards(record: AuditRecord) -> _Table:
    return _Table(record.rewards[..., None], record.mask, ("reward",))


def _responses(effect: _Table, actions: _Table) -> _Table:
    """What follows each action: every column of `effect` times every column of `actions`."""
    if len(effect.names) * len(actions.names) > _MANY_RESPONSES:
        return _Table(effect.values[..., :0], effect.mask, ())
    product = effect.values[..., :, None] * actions.values[..., None, :]
    names = tuple(f"{what} after {done}" for what in effect.names for done in actions.names)
    return _Table(product.reshape(*product.shape[:3], -1), effect.mask, names)


def _changes(record: AuditRecord) -> _Table:
    """How observations change from a step to the next; 0 in an agent's last step."""
    both = (record.mask[:, 1:] & record.mask[:, :-1])[..., None]
    change = np.zeros_like(record.observations)
    change[:, :-1] = np.where(both, record.observations[:, 1:] - record.observations[:, :-1], 0)
    return _Table(change, record.mask, tuple(f"change of {name}" for name in record.names))


def _both(record: AuditRecord) -> _Table:
    actions = _actions(record)
    return _observations(record).hstack(actions, _responses(_changes(record), actions))


def _window(record: AuditRecord) -> Features:
    """The middle third of the longest episode, the middle step at least."""
    steps = record.mask.shape[1]
    start = steps // 3
    middle = slice(start, max(2 * steps // 3, start + 1))
    table = _both(record)
    return _Table(table.values[:, middle], table.mask[:, middle], table.names).features()


def _paid(record: AuditRecord) -> Features:
    rewards = _rewards(record)
    extra = ((record.terminated, "terminated"), (record.truncated, "truncated"))
    return rewards.hstack(_responses(rewards, _actions(record))).features(*extra)


def _lineup(record: AuditRecord) -> Features:
    """Each slot's observations, actions and rewards together, with their products, and its ranks in
    the lineup."""
    table = _both(record).hstack(_rewards(record))
    mean = table.features()
    lived = np.maximum(record.mask.sum(axis=1), 1)[:, :, None]
    average = _sum(table.values, record.mask) / lived
    below = (average[:, :, None] > average[:, None] + _SAME * np.abs(average[:, None])).sum(axis=2)
    above = (average[:, :, None] < average[:, None] - _SAME * np.abs(average[:, None])).sum(axis=2)
    rank = centred(below - above, [(name,) for name in table.names])
    return mean.hstack(rank)


INPUTS: dict[str, Callable[[AuditRecord], Features]] = {
    "first observation": lambda record: centred(
        record.observations[:, 0], [(name,) for name in record.names]
    ),
    "length": lambda record: centred(record.mask.sum(axis=1)[:, :, None], [("length",)]),
    "observations": lambda record: _observations(record).features(),
    "actions": lambda record: _actions(record).features(),
    "observations, actions": lambda record: _both(record).features(),
    "mid-episode window": _window,
    "rewards, ends": _paid,
    "whole lineup": _lineup,
}
"""What probes are shown, by name. The whole lineup comes with :func:`lineup_relations` on top."""


def lineup_relations(record: AuditRecord) -> tuple[Features, Features]:
    """How columns go together, within slots and between them: products of two columns, averaged
    over the steps.

    Columns are observations, the action before and the reward for it. They are taken less the
    lineup's mean in each step, and in units of their spread. So a list of the others' positions
    correlates with the position of the agent that is listed, and the order of the list shows.

    Args:
        record: the episodes.

    Returns:
        (E, N, F) products of two columns of a slot, none where there are more than 40 columns; and
        (E, N (N - 1), F) products of a column of the first slot with a column of the second, for
        all
        :func:`~mirrorenv.envs.audit.exact.ordered_pairs`.
    """
    table = _observations(record).hstack(_later(_actions(record)), _later(_rewards(record)))
    unit, names = _standardised(table)  # (E, T, N, C)
    episodes, steps, agents, width = unit.shape
    flat = unit.transpose(0, 2, 3, 1).reshape(episodes, -1, steps)
    products = (flat @ flat.transpose(0, 2, 1) / steps).reshape(
        episodes, agents, width, agents, width
    )
    products = products.transpose(0, 1, 3, 2, 4)  # (E, N, N, C, C)
    # (c, d) of a pair is (d, c) of the pair the other way round
    first, second = np.triu_indices(width)
    both = [(names[c], names[d]) for c, d in zip(first, second, strict=True)]
    i, j = ordered_pairs(agents).T
    between = centred(products[:, i, j][:, :, first, second], both)
    if width > _MANY_PRODUCTS:
        return Features(np.zeros((episodes, agents, 0)), ()), between
    n = np.arange(agents)
    return centred(products[:, n, n][:, :, first, second], both), between


def _standardised(table: _Table) -> tuple[Floats64, tuple[str, ...]]:
    """(E, T, N, C) less the lineup's mean in each step and in units of spread; columns that never
    differ left out."""
    values = np.where(table.mask[..., None], table.values, 0)
    inner = values - values.mean(axis=2, keepdims=True, dtype=np.float64)
    inner = np.where(table.mask[..., None], inner, 0)
    kept = np.flatnonzero(
        np.abs(inner).max(axis=(0, 1, 2)) > _SAME * np.abs(values).max(axis=(0, 1, 2))
    )
    room = max(int(np.sqrt(_MANY_PAIRS / len(values)) / values.shape[2]), 4)
    if len(kept) > room:
        kept = kept[np.linspace(0, len(kept) - 1, room).round().astype(int)]
    inner = inner[..., kept]
    return inner / np.sqrt((inner**2).mean(axis=(0, 1, 2))), tuple(table.names[i] for i in kept)


def _later(table: _Table) -> _Table:
    """The table one step later, empty in the first."""
    moved = np.zeros_like(table.values)
    moved[:, 1:] = table.values[:, :-1]
    return _Table(moved, table.mask, tuple(f"previous {name}" for name in table.names))
