"""A hierarchy of guides: what a language model's hidden states are called at growing time scales,
which name comes next, and in which direction that lies.

Hidden states of the last layer are averaged over 4 tokens at the lowest level, over 4 times as many
at each level above. Each level has its code (k-means) and a guide that reads a state and a goal and
says which code comes next. Asked for a direction, each level hands the code it expects down as the
goal of the level below.

Shapes: W windows, L tokens of a window, S spans of a level, H hidden, K codes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.llm.model import LanguageModel
from mirrorenv.population.objectives.codebook import k_means
from mirrorenv.results.runs.files import atomic_write_bytes, read_bytes

__all__ = ["SPAN", "Guide", "NextCode", "Prepared", "load_arrays", "prepare", "save_arrays"]

SPAN = 4
"""Tokens of a state at the lowest level, and states of one level in a state of the next."""
_STEPS = 300
_DECAY = 1e-3
Say = Callable[[str], None]


class Prepared(NamedTuple):
    """Texts as a language model reads them."""

    tokens: npt.NDArray[np.int64]
    """(W, L)."""
    states: npt.NDArray[np.float32]
    """(W, L / 4, H) means of four hidden states of the last layer."""
    middle: npt.NDArray[np.float32]
    """The same of the middle layer."""
    topics: npt.NDArray[np.int64]
    """(W,) number of the topic."""
    names: npt.NDArray[np.str_]
    """Of the topics."""


def prepare(
    model: LanguageModel,
    texts: Mapping[str, str],
    *,
    windows: int = 12,
    length: int = 64,
    say: Say = print,
) -> Prepared:
    """Let a model read windows of every topic's text.

    Args:
        model: that reads.
        texts: by topic.
        windows: of every topic.
        length: tokens of a window, L, a multiple of 16.
        say: is told where it stands.

    Raises:
        ConfigError: for another length, or a topic that is too short.
    """
    if length < 32 or length % SPAN**2:
        raise ConfigError(f"windows of {length} tokens: a multiple of {SPAN**2}, at least 32")
    rows: list[tuple[int, ...]] = []
    topics = []
    for number, (name, text) in enumerate(texts.items()):
        ids = model.tokens(text)
        if len(ids) < windows * length:
            raise ConfigError(
                f"topic {name!r} has {len(ids)} tokens; {windows} windows of {length} need "
                f"{windows * length}"
            )
        rows += [ids[start * length : (start + 1) * length] for start in range(windows)]
        topics += [number] * windows
    tokens = np.array(rows)
    last: list[npt.NDArray[np.float32]] = []
    middle: list[npt.NDArray[np.float32]] = []
    for first in range(0, len(tokens), windows):
        batch = torch.from_numpy(tokens[first : first + windows])
        with torch.no_grad():
            found = model.model(batch, output_hidden_states=True).hidden_states
        for kept, layer in ((last, found[-1]), (middle, found[len(found) // 2])):
            kept.append(pooled(layer.float(), SPAN).numpy())
        say(f"read {min(first + windows, len(tokens))} of {len(tokens)} windows")
    return Prepared(
        tokens,
        np.concatenate(last),
        np.concatenate(middle),
        np.array(topics),
        np.array(list(texts)),
    )


def pooled(states: Tensor, span: int) -> Tensor:
    """(W, S, H) means of (W, S span, H)."""
    windows, places, width = states.shape
    return states.reshape(windows, places // span, span, width).mean(2)


def held_out(prepared: Prepared) -> npt.NDArray[np.bool_]:
    """(W,) every fourth window."""
    chosen: npt.NDArray[np.bool_] = np.arange(len(prepared.tokens)) % 4 == 3
    return chosen


class NextCode(NamedTuple):
    """How well a level's next code is predicted on windows that were held out."""

    level: int
    accuracy: float
    """Share right, by state and goal."""
    nats: float
    """Cross-entropy, by state and goal."""
    without_goal: float
    """Share right, by the state alone."""
    bigram: float
    """Share right, by the code before."""
    bigram_nats: float
    most_common: float
    """Share right, by the most common code."""


class Guide(nn.Module):
    """Codes and guides of every level.

    Args:
        width: H.
        levels: how many; a window must hold three states of the highest.
        codes: K of each level.
        topics: how many goals are known by name.
    """

    centre: Tensor
    codes: Tensor
    codes_middle: Tensor
    goals: Tensor

    def __init__(self, width: int, levels: int, codes: int, topics: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("centre", torch.zeros(2, width))  # of the last and the middle layer
        self.register_buffer("codes", torch.zeros(levels, codes, width))
        self.register_buffer("codes_middle", torch.zeros(levels, codes, width))
        self.register_buffer("goals", torch.zeros(topics, width))
        self.reads = nn.ModuleList([blank(2 * width, codes) for _ in range(levels)])

    # -- learning ----------------------------------------------------------------------------------

    def learn(self, prepared: Prepared, seed: int = 0, say: Say = print) -> list[NextCode]:
        """Fit codes, then guides by hindsight: the goal is where a window came to.

        Args:
            prepared: texts.
            seed: of the codes' starting points and the guides' weights.
            say: is told where it stands.

        Raises:
            ConfigError: if levels or codes do not fit the texts.
        """
        learned = ~held_out(prepared)
        draws = torch.Generator().manual_seed(seed)
        last = torch.from_numpy(prepared.states)
        middle = torch.from_numpy(prepared.middle)
        if last.shape[1] < 3 * SPAN ** (self.levels - 1):
            raise ConfigError(
                f"{self.levels} levels: the highest has states of {SPAN**self.levels} tokens, and "
                f"windows of {last.shape[1] * SPAN} hold fewer than three of them: take fewer "
                "levels or longer windows"
            )
        self.centre[0] = last[learned].mean((0, 1))
        self.centre[1] = middle[learned].mean((0, 1))
        for topic in range(len(self.goals)):
            own = learned & (prepared.topics == topic)
            self.goals[topic] = last[own].mean((0, 1)) - self.centre[0]
        return [
            self._learn_level(level, last, middle, torch.from_numpy(learned), draws, say)
            for level in range(self.levels)
        ]

    def _learn_level(
        self, level: int, last: Tensor, middle: Tensor, learned: Tensor, draws: Any, say: Say
    ) -> NextCode:
        span = SPAN**level
        whole = last.shape[1] // span * span
        states = pooled(last[:, :whole], span) - self.centre[0]  # (W, S, H)
        inner = pooled(middle[:, :whole], span) - self.centre[1]
        rows = states[learned].flatten(0, 1)
        count = self.codes.shape[1]
        if len(rows) < count:
            raise ConfigError(f"level {level} has {len(rows)} states for {count} codes: take fewer")
        start = rows[torch.randperm(len(rows), generator=draws)[:count]]
        self.codes[level] = k_means(rows[None], start[None])[0]
        named = self.name(states, level)  # (W, S)
        for code in range(count):
            own = (named == code) & learned[:, None]
            self.codes_middle[level, code] = inner[own].mean(0) if own.any() else 0.0
        goal = states[:, -1:].expand_as(states)  # where the window came to
        here = states[:, :-2]
        aim = goal[:, :-2]
        following = named[:, 1:-1]
        read = self.reads[level]
        assert isinstance(read, nn.Linear)
        with torch.no_grad():
            read.weight.normal_(0.0, 0.01, generator=draws)
            read.bias.zero_()
        scale = float(rows.square().mean().sqrt())
        fit(read, inputs(here, aim, scale)[learned], following[learned])
        alone = blank(read.in_features, count)
        fit(alone, inputs(here, torch.zeros_like(aim), scale)[learned], following[learned])
        test = ~learned
        truth = following[test].flatten()
        with torch.no_grad():
            logits = read(inputs(here, aim, scale)[test]).flatten(0, 1)
            plain = alone(inputs(here, torch.zeros_like(aim), scale)[test]).flatten(0, 1)
            read.weight.div_(scale)  # from now on it reads states as they are
        pairs = named[learned]
        table = torch.ones(count, count)  # one of each before any was seen
        table.index_put_(
            (pairs[:, :-1].flatten(), pairs[:, 1:].flatten()), torch.ones(()), accumulate=True
        )
        bigram = (table / table.sum(1, keepdim=True)).log()[named[test][:, :-2].flatten()]
        common = pairs.flatten().bincount().argmax()
        say(f"level {level}: {count} codes of {len(rows)} states")
        return NextCode(
            level,
            accuracy=right(logits, truth),
            nats=float(nn.functional.cross_entropy(logits, truth)),
            without_goal=right(plain, truth),
            bigram=right(bigram, truth),
            bigram_nats=float(nn.functional.nll_loss(bigram, truth)),
            most_common=float((truth == common).float().mean()),
        )

    def name(self, states: Tensor, level: int) -> Tensor:
        """(...) the nearest code of states (..., H), given without the centre."""
        flat = states.reshape(-1, states.shape[-1])
        return torch.cdist(flat, self.codes[level]).argmin(-1).view(states.shape[:-1])

    # -- guiding -----------------------------------------------------------------------------------

    @torch.no_grad()
    def direction(self, states: Tensor, topic: int, middle: bool = False) -> Tensor:
        """Where to, of length 1.

        Args:
            states: (B, H) of the last layer, averaged over the last tokens.
            topic: number of the goal.
            middle: whether the direction is one of the middle layer's.

        Returns:
            (B, H).
        """
        here = states - self.centre[0]
        aim = self.goals[topic].expand_as(here)
        code = torch.zeros(len(here), dtype=torch.int64)
        for level in range(self.levels - 1, -1, -1):
            code = self.reads[level](torch.cat([here, aim], -1)).argmax(-1)
            aim = self.codes[level][code]
        found = self.codes_middle[0][code] if middle else aim
        return nn.functional.normalize(found, dim=-1)


def blank(width: int, outputs: int) -> nn.Linear:
    """A layer of zeros, which draws nothing from the global stream."""
    made: nn.Linear = nn.utils.skip_init(nn.Linear, width, outputs)  # type: ignore[no-untyped-call]
    nn.init.zeros_(made.weight)
    nn.init.zeros_(made.bias)
    return made


def inputs(here: Tensor, aim: Tensor, scale: float) -> Tensor:
    """What a guide reads.

    Args:
        here: (..., H) states.
        aim: (..., H) goals.
        scale: their usual size.

    Returns:
        (..., 2 H) a state and a goal, of about one in size.
    """
    return torch.cat([here, aim], -1) / scale


def fit(read: nn.Linear, seen: Tensor, following: Tensor) -> None:
    """Softmax regression, whole batches.

    Args:
        read: the layer that learns.
        seen: (W, S, 2 H).
        following: (W, S) codes.
    """
    optimiser = torch.optim.Adam(read.parameters(), lr=3e-3, weight_decay=_DECAY)
    flat = seen.flatten(0, 1)
    truth = following.flatten()
    for _ in range(_STEPS):
        loss = nn.functional.cross_entropy(read(flat), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def right(logits: Tensor, truth: Tensor) -> float:
    """Share of (R,) numbers that (R, K) logits put first."""
    return float((logits.argmax(-1) == truth).float().mean())


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> Path:
    """Write arrays by name, whole or not at all."""
    packed = io.BytesIO()
    given: dict[str, Any] = dict(arrays)
    np.savez(packed, **given)
    return atomic_write_bytes(path, packed.getvalue())


def load_arrays(path: Path, made_by: str) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name.

    Args:
        path: of `save_arrays`.
        made_by: the command that makes such a file, for a message.

    Raises:
        ConfigError: if there is none, or it is damaged.
    """
    if not path.exists():
        raise ConfigError(f"{path} is not there: `{made_by}` makes it")
    try:
        found = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        return {name: found[name] for name in found.files}
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise ConfigError(f"{path} is damaged ({error}): `{made_by}` makes it") from None
