"""Layouts of actions: held, told and read back; against torch.distributions as a second opinion.

Shapes: B batch, T time, K slots, A policy outputs, P parts.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch import distributions as law

from mirrorenv.errors import ShapeError, WorldError
from mirrorenv.population.actions import (
    ActionLayout,
    Bytes,
    Choice,
    Choices,
    Mixed,
    Vector,
    layout_of,
)
from mirrorenv.population.observers import HEADS
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.population.population import lineup_tensors
from mirrorenv.population.settings import PopulationShape
from tests.population.small import loud, population, some_episodes, some_experience

LAYOUTS: dict[str, ActionLayout] = {
    "choice": Choice(choices=5),
    "choices": Choices(sizes=(3, 2, 4)),
    "equal choices": Choices(sizes=(2, 2)),
    "bytes": Bytes(length=3),
    "vector": Vector(size=2, low=-2.0, high=3.0),
    "mixed": Mixed(parts=(Choice(choices=3), Vector(size=2), Choices(sizes=(2, 3)))),
    "whole mixed": Mixed(parts=(Choice(choices=3), Choices(sizes=(2, 3)))),
}
leaves = st.one_of(
    st.integers(1, 5).map(lambda n: Choice(choices=n)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(lambda n: Choices(sizes=tuple(n))),
    st.integers(1, 3).map(lambda n: Vector(size=n, low=-1.5, high=4.0)),
    st.integers(1, 2).map(lambda n: Bytes(length=n)),
)
layouts = st.one_of(
    leaves, st.lists(leaves, min_size=1, max_size=3).map(lambda parts: Mixed(parts=tuple(parts)))
)


def outputs_of(layout: ActionLayout, lead: tuple[int, ...] = (4, 6), seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*lead, layout.policy_outputs, generator=generator)


def spread_of(layout: ActionLayout) -> Tensor | None:
    return torch.linspace(-0.5, 0.3, layout.spreads) if layout.spreads else None


def second_opinion(layout: ActionLayout, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Log probability and entropy by torch.distributions, part after part."""
    if isinstance(layout, Mixed):
        log_p, entropy = torch.zeros(outputs.shape[:-1]), torch.zeros(outputs.shape[:-1])
        blocks = torch.split(outputs, [part.policy_outputs for part in layout.parts], -1)
        for part, block, done in zip(layout.parts, blocks, layout.split(actions), strict=True):
            one, spread = second_opinion(part, block, done), spread_of(layout)
            log_p, entropy = log_p + one[0], entropy + one[1]
        return log_p, entropy
    if isinstance(layout, Vector):
        spread = spread_of(layout)
        assert spread is not None
        normal = law.Independent(law.Normal(outputs, spread.exp()), 1)
        squashed = law.TransformedDistribution(normal, law.TanhTransform())
        return squashed.log_prob(actions), normal.entropy()
    sizes = [count for _, count in layout.columns() if count is not None]
    flat = actions.reshape(*outputs.shape[:-1], len(sizes))
    parts = [law.Categorical(logits=block) for block in torch.split(outputs, sizes, -1)]
    log_p = torch.stack([part.log_prob(flat[..., i]) for i, part in enumerate(parts)])
    return log_p.sum(0), torch.stack([part.entropy() for part in parts]).sum(0)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_log_probability_and_entropy_are_those_of_torch(layout: ActionLayout) -> None:
    outputs = outputs_of(layout)
    made = layout.distribution(outputs, spread_of(layout))
    actions = made.sample(torch.Generator().manual_seed(1))
    if isinstance(layout, Mixed) and layout.spreads:  # one vector: its spread is the layout's
        assert sum(part.spreads > 0 for part in layout.parts) == 1
    log_p, entropy = second_opinion(layout, outputs, actions)
    torch.testing.assert_close(made.log_probability(actions), log_p, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(made.entropy(), entropy, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layout_survives_json(layout: ActionLayout) -> None:
    shape = PopulationShape(num_agents=2, observation_size=3, actions=layout)  # type: ignore[arg-type]
    assert PopulationShape.model_validate_json(shape.model_dump_json()) == shape


@settings(max_examples=60, deadline=None)
@given(layouts, st.integers(0, 2**16))
def test_what_is_sampled_is_an_action_comes_back_from_features_and_fits_the_world(
    layout: ActionLayout, seed: int
) -> None:
    outputs = outputs_of(layout, seed=seed)
    made = layout.distribution(outputs, spread_of(layout))
    actions = made.sample(torch.Generator().manual_seed(seed))
    assert actions.shape == (4, 6, *layout.shape)
    layout.check(actions.numpy())
    features = layout.features(actions)
    assert features.shape == (4, 6, layout.feature_width) and features.dtype == torch.float32
    assert torch.equal(layout.from_features(features), actions)
    there = layout.to_world(actions.numpy())
    assert there.dtype == layout.dtype
    there = there.reshape(-1, layout.numbers)
    as_held = actions.numpy().reshape(-1, layout.numbers)
    for column, choices in layout.columns():
        if choices is None:  # every vector here has the bounds -1.5 and 4
            assert (there[:, column] >= -1.5).all() and (there[:, column] <= 4).all()
            middle = (there[:, column] - 1.25) / 2.75
            np.testing.assert_allclose(middle, as_held[:, column], atol=1e-5)
        else:
            np.testing.assert_array_equal(there[:, column], as_held[:, column])
    assert torch.isfinite(made.log_probability(actions)).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.integers(0, 2**16))
def test_a_mask_leaves_the_distribution_of_what_is_allowed(sizes: list[int], seed: int) -> None:
    layout = Choices(sizes=tuple(sizes))
    rng = np.random.default_rng(seed)
    allowed = torch.from_numpy(rng.random((8, sum(sizes))) < 0.5)
    for start in np.cumsum([0, *sizes[:-1]]):
        allowed[:, start] = True  # one choice at least
    outputs = outputs_of(layout, (8,), seed).requires_grad_()
    made = layout.distribution(outputs, None, allowed)
    drawn = made.sample(torch.Generator().manual_seed(seed))
    assert bool(torch.gather(allowed, 1, drawn + torch.tensor(np.cumsum([0, *sizes[:-1]]))).all())
    every = torch.tensor(list(itertools.product(*map(range, sizes))))  # (combinations, P)
    log_p = torch.stack([made.log_probability(one.expand(8, -1)) for one in every])
    torch.testing.assert_close(log_p.exp().sum(0), torch.ones(8))
    entropy = -torch.where(log_p.isfinite(), log_p.exp() * log_p, 0.0).sum(0)
    torch.testing.assert_close(made.entropy(), entropy)
    (made.entropy().sum() + made.log_probability(drawn).sum()).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None and torch.isfinite(outputs.grad).all()
    assert (outputs.grad[~allowed] == 0).all()


def test_a_mask_that_allows_everything_changes_nothing_and_one_that_allows_nothing_is_refused() -> (
    None
):
    layout = Choice(choices=4)
    outputs = outputs_of(layout)
    free, masked = (layout.distribution(outputs, None, m) for m in (None, outputs < 9e9))
    for name in ("sample", "log_probability"):
        argument = torch.Generator().manual_seed(0) if name == "sample" else outputs.argmin(-1)
        other = torch.Generator().manual_seed(0) if name == "sample" else argument
        assert torch.equal(getattr(free, name)(argument), getattr(masked, name)(other))
    with pytest.raises(ShapeError, match="allow"):
        layout.distribution(outputs, None, outputs > 9e9)


def test_many_choices_are_never_numbered_as_combinations() -> None:
    layout = Choices(sizes=(64,) * 16)  # 64 ** 16 combinations
    assert layout.policy_outputs == layout.feature_width == 1024
    sampled = layout.distribution(outputs_of(layout)).sample(torch.Generator().manual_seed(0))
    assert sampled.shape == (4, 6, 16)


@pytest.mark.parametrize(
    ("space", "layout"),
    [
        (spaces.Discrete(3), Choice(choices=3)),
        (spaces.MultiDiscrete([3, 2]), Choices(sizes=(3, 2))),
        (spaces.MultiBinary(3), Choices(sizes=(2, 2, 2))),
        (spaces.Box(-2, 3, (2,)), Vector(size=2, low=-2.0, high=3.0)),
        (
            spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(0, 1, (1,))}),
            Mixed(parts=(Vector(size=1, low=0.0, high=1.0), Choice(choices=2))),
        ),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.Tuple((spaces.MultiBinary(1),)))),
            Mixed(parts=(Choice(choices=2), Choices(sizes=(2,)))),
        ),
    ],
)
def test_spaces_of_worlds_have_layouts(space: spaces.Space, layout: ActionLayout) -> None:
    if isinstance(space, spaces.Dict) and list(space.spaces) == ["b", "a"]:
        assert isinstance(layout, Mixed)
        layout = Mixed(parts=tuple(reversed(layout.parts)))  # this gymnasium keeps the order given
    assert layout_of(space) == layout


@pytest.mark.parametrize(
    ("layout", "actions", "error"),
    [
        (Choice(choices=3), np.array([0, 3]), WorldError),
        (Choice(choices=3), np.array([0.0]), ShapeError),
        (Choices(sizes=(3, 2)), np.array([[0, 2]]), WorldError),
        (Choices(sizes=(3, 2)), np.array([[0, 1, 0]]), ShapeError),
        (Vector(size=1), np.array([[1.5]], np.float32), WorldError),
        (
            Mixed(parts=(Choice(choices=3), Vector(size=1))),
            np.array([[0.5, 0.5]], np.float32),
            WorldError,
        ),
    ],
)
def test_what_is_no_action_is_refused(
    layout: ActionLayout, actions: np.ndarray, error: type[Exception]
) -> None:
    with pytest.raises(error, match="there"):
        layout.check(actions, "there")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("head", HEADS)
def test_every_head_reads_every_layout(head: str, layout: ActionLayout) -> None:
    shape = PopulationShape(num_agents=3, observation_size=4, actions=layout)  # type: ignore[arg-type]
    model = population(head=head, shape=shape)
    loud(model)
    observations, actions = some_episodes(shape=shape)
    order = torch.tensor([[2, 0, 1]]).expand(len(actions), 1, -1)
    mask = torch.ones(observations.shape[:3])
    evidence = model.evidence(lineup_tensors(model, observations, actions, mask, order))
    assert evidence.shape == (*observations.shape[:2], 3, 3, 3)
    assert torch.isfinite(evidence).all()
    model.observers.loss(evidence, order, mask[:, :, None]).backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("baseline", BASELINES)
def test_every_baseline_reads_every_layout(baseline: str, layout: ActionLayout) -> None:
    from mirrorenv.mirror import EpisodeBatch

    shape = PopulationShape(num_agents=3, observation_size=4, actions=layout)  # type: ignore[arg-type]
    e = some_experience(population(shape=shape))
    record = EpisodeBatch(e.observations, e.actions, e.rewards, e.mask)
    observer = BASELINES[baseline]()
    observer.fit(record, layout)
    evidence = observer.evidence(record)
    assert evidence.shape == (len(record), 3, 3) and np.isfinite(evidence).all()
