"""What every observer head must keep: no slot order, no future, no padding, and nobody's name.

Shapes: B batch, T time, K lineup slots, J observers, N agents.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mirrorenv.errors import ShapeError, UnknownNameError
from mirrorenv.population.objectives import observer_loss, read_minibatch
from mirrorenv.population.observers import HEADS, LineupTensors
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import PopulationShape
from tests.population.small import (
    AGENTS,
    BLIND,
    CONTINUOUS,
    DISCRETE,
    PLANNERS,
    lineup_of,
    loud,
    population,
    some_episodes,
)

SHAPES = {"discrete": DISCRETE, "continuous": CONTINUOUS, "blind": BLIND}
READERS = [
    ("gru", "separate", "separate"),
    ("gru", "separate", "shared"),
    ("mlp", "shared", "stopped"),
]
every_head = pytest.mark.parametrize("head", HEADS)


def ready(
    head: str, kind: tuple[str, str, str] = READERS[0], shape: PopulationShape = DISCRETE
) -> Population:
    made = population(*kind, head=head, shape=shape, layers=2)
    loud(made)
    return made


def ragged(batch: int, time: int, seed: int = 0) -> Tensor:
    """(B, T, K) mask of slots that end at different times, all after at least one step."""
    lengths = torch.randint(
        1, time + 1, (batch, 1, AGENTS), generator=torch.Generator().manual_seed(seed)
    )
    return (torch.arange(time)[None, :, None] < lengths).float()


def read(model: Population, lineup: LineupTensors) -> Tensor:
    with torch.no_grad():
        return model.evidence(lineup)


@every_head
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", READERS, ids="-".join)
def test_evidence_has_its_shape_and_differs_between_observers_slots_and_agents(
    head: str, kind: tuple[str, str, str], shape: PopulationShape
) -> None:
    model = ready(head, kind, shape)
    observations, actions = some_episodes(shape=shape)
    evidence = read(model, lineup_of(model, observations, actions))
    assert evidence.shape == (*observations.shape[:2], AGENTS, AGENTS, AGENTS)
    assert torch.isfinite(evidence).all()
    for axis in (0, 1, 2, 3, 4):
        first, second = evidence.select(axis, 0), evidence.select(axis, 1)
        assert not torch.allclose(first, second), f"axis {axis}"


@every_head
@pytest.mark.parametrize("kind", READERS, ids="-".join)
def test_permuting_the_slots_permutes_the_evidence_and_changes_nothing_else(
    head: str, kind: tuple[str, str, str]
) -> None:
    model = ready(head, kind)
    lineup = lineup_of(model, *some_episodes(), ragged(4, 6))
    order = torch.tensor([2, 0, 1])
    shuffled = lineup.slots(order)
    torch.testing.assert_close(
        read(model, shuffled), read(model, lineup)[:, :, :, order], atol=1e-4, rtol=1e-4
    )


@every_head
@pytest.mark.parametrize("kind", READERS, ids="-".join)
def test_evidence_after_a_step_does_not_depend_on_later_steps(
    head: str, kind: tuple[str, str, str]
) -> None:
    model = ready(head, kind)
    (observations, actions), (others, moves) = some_episodes(seed=0), some_episodes(seed=1)
    before = torch.arange(observations.shape[1])[None, :, None] < 3
    changed = lineup_of(
        model,
        torch.where(before[..., None], observations, others),
        torch.where(before, actions, moves),
    )
    now, other = read(model, lineup_of(model, observations, actions)), read(model, changed)
    torch.testing.assert_close(now[:, :3], other[:, :3])
    assert not torch.allclose(now[:, 3:], other[:, 3:])


@every_head
def test_evidence_after_a_step_does_not_know_how_long_the_episode_will_be(head: str) -> None:
    model = ready(head)
    observations, actions = some_episodes()
    mask = torch.ones(actions.shape)
    mask[:, 3:, 1:] = 0.0
    whole, ended = (
        read(model, lineup_of(model, observations, actions, m))
        for m in (torch.ones(mask.shape), mask)
    )
    torch.testing.assert_close(whole[:, :3], ended[:, :3])


@every_head
@pytest.mark.parametrize("kind", READERS, ids="-".join)
def test_padded_steps_change_nothing(head: str, kind: tuple[str, str, str]) -> None:
    model = ready(head, kind)
    (observations, actions), (others, moves) = some_episodes(seed=0), some_episodes(seed=1)
    mask = ragged(*observations.shape[:2])
    filled = lineup_of(
        model,
        torch.where(mask[..., None] > 0, observations, others),
        torch.where(mask > 0, actions, moves),
        mask,
    )
    now, other = read(model, lineup_of(model, observations, actions, mask)), read(model, filled)
    torch.testing.assert_close(now, other)
    longer = LineupTensors(
        *(torch.cat([part, part], 1) for part in lineup_of(model, observations, actions, mask)[:3])
    )
    longer.mask[:, observations.shape[1] :] = 0.0
    torch.testing.assert_close(read(model, longer)[:, : observations.shape[1]], now)


@pytest.mark.parametrize("head", [head for head in HEADS if head != "joint"])
def test_a_slot_that_has_ended_keeps_its_evidence(head: str) -> None:
    model = ready(head)
    observations, actions = some_episodes()
    mask = torch.ones(observations.shape[:3])
    mask[:, 2:, 1] = 0.0
    evidence = read(model, lineup_of(model, observations, actions, mask))
    torch.testing.assert_close(evidence[:, 2:, :, 1], evidence[:, 1:2, :, 1].expand(-1, 4, -1, -1))
    assert not torch.allclose(evidence[:, 1, :, 0], evidence[:, -1, :, 0])


@every_head
def test_a_slot_without_a_single_step_is_anybodys(head: str) -> None:
    model = ready(head)
    observations, actions = some_episodes()
    mask = torch.ones(observations.shape[:3])
    mask[:, :, 1] = 0.0
    belief = read(model, lineup_of(model, observations, actions, mask))[:, :, :, 1]
    if not model.observers.joint:  # a joint reader may conclude from the other slots
        torch.testing.assert_close(belief.softmax(-1), torch.full_like(belief, 1 / AGENTS))


@every_head
@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_the_authors_name_never_reaches_an_observer(
    head: str, trunk: str, weights: str, reads: str
) -> None:
    """Three agents do exactly the same: whoever is shown in whichever slot, the evidence is one and
    the same."""
    model = ready(head, (trunk, weights, reads))
    observations, actions = some_episodes()
    alike, moves = (
        observations[:, :, :1].expand(-1, -1, AGENTS, -1),
        actions[:, :, :1].expand(-1, -1, AGENTS),
    )
    mask = torch.ones(moves.shape)
    found = []
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        shuffle = torch.tensor(order).expand(len(moves), 1, -1)
        found.append(read(model, lineup_tensors(model, alike, moves, mask, shuffle)))
    torch.testing.assert_close(found[0][:, :, :, 0], found[0][:, :, :, 1])
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


@pytest.mark.parametrize("head", [head for head in HEADS if not head.startswith("likelihood")])
@pytest.mark.parametrize("reads", ["shared", "stopped"])
@pytest.mark.parametrize("trunk", ["mlp", "gru"])
def test_a_shared_trunk_is_read_without_the_index(trunk: str, reads: str, head: str) -> None:
    """What the shared network makes of an index sits behind the trunk: changing it leaves every
    observer alone."""
    model = ready(head, (trunk, "shared", reads))
    observations, actions = some_episodes()
    lineup = lineup_of(model, observations, actions)
    before = read(model, lineup)
    acting = model.actor.sequence(observations).distribution.outputs
    with torch.no_grad():
        model.actor.policy.weight[:, -AGENTS:] += 1.0 + torch.arange(AGENTS)[:, None]
        model.actor.policy.weight[:, -1, 0] += 3.0
    assert not torch.allclose(acting, model.actor.sequence(observations).distribution.outputs)
    assert torch.equal(before, read(model, lineup))


@every_head
@pytest.mark.parametrize("reads", ["separate", "shared", "stopped"])
@pytest.mark.parametrize("weights", ["separate", "shared"])
def test_the_heads_loss_reaches_the_policys_trunk_only_where_it_is_shared(
    weights: str, reads: str, head: str
) -> None:
    model = ready(head, ("gru", weights, reads))
    observations, actions = some_episodes()
    batch = minibatch(observations, actions)
    loss, _ = observer_loss(
        model, read_minibatch(model, batch, model.settings.observer, torch.Generator())
    )
    loss.backward()
    touched = {
        name
        for name, p in model.actor.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert bool(touched) is (reads == "shared")
    assert all(name.startswith("trunk.") for name in touched)
    assert all(p.grad is not None for p in model.observers.parameters())


def minibatch(observations: Tensor, actions: Tensor) -> dict[str, Tensor]:
    permutation = torch.tensor([[2, 0, 1]]).expand(len(actions), 1, -1)
    mask = torch.ones(actions.shape[:3])
    return {
        "observations": observations,
        "actions": actions,
        "mask": mask,
        "permutation": permutation,
        "labels": permutation,
    }


@every_head
def test_every_observer_learns_from_its_own_loss_alone(head: str) -> None:
    model = ready(head)
    lineup = lineup_of(model, *some_episodes())
    model.evidence(lineup)[:, :, 1].square().sum().backward()
    for name, parameter in model.observers.named_parameters():
        assert parameter.grad is not None and parameter.grad[1].abs().sum() > 0, name
        assert parameter.grad[[0, 2]].abs().sum() == 0, name


@pytest.mark.parametrize("head", ["likelihood", "likelihood_gru"])
@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_the_likelihood_heads_know_their_own_policy_exactly(
    head: str, trunk: str, weights: str, reads: str
) -> None:
    model = ready(head, (trunk, weights, reads))
    observations, actions = some_episodes()
    evidence = read(model, lineup_of(model, observations, actions))
    policies = model.actor.replay_log_probability(observations, actions).cumsum(1)  # (B, T, K, N)
    for j in range(AGENTS):
        torch.testing.assert_close(
            evidence[:, :, j, :, j], policies[:, :, :, j], atol=1e-4, rtol=1e-4
        )
        assert not torch.allclose(
            evidence[:, :, j, :, (j + 1) % AGENTS], policies[:, :, :, (j + 1) % AGENTS]
        )


def test_the_likelihood_head_asks_for_the_own_policy() -> None:
    model = ready("likelihood")
    with pytest.raises(ShapeError, match="own"):
        model.observers.evidence(lineup_of(model, *some_episodes()))


def test_only_heads_that_ask_pay_for_replaying_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ready("additive")
    monkeypatch.setattr(model.actor, "replay", None)
    assert read(model, lineup_of(model, *some_episodes())).isfinite().all()


@every_head
def test_the_loss_of_padding_is_nothing(head: str) -> None:
    model = ready(head)
    observations, actions = some_episodes()
    authors = torch.arange(AGENTS).expand(len(actions), 1, -1)
    lineup = lineup_of(model, observations, actions, torch.ones(actions.shape))
    short = model.observers.loss(read(model, lineup), authors, lineup.slot_mask())
    doubled = LineupTensors(*(torch.cat([part, part], 1) for part in lineup[:3]))
    doubled.mask[:, actions.shape[1] :] = 0.0
    long = model.observers.loss(read(model, doubled), authors, doubled.slot_mask())
    torch.testing.assert_close(short, long)


def test_an_unknown_head_is_answered_with_its_neighbours() -> None:
    with pytest.raises(UnknownNameError, match="additive"):
        population(head="aditive")
