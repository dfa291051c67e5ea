"""N networks in one module are N networks: compared with torch's own, one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mirrorenv.population.layers import StackedGRU, StackedLinear, StackedMLP, _GatedRecurrence
from tests.population.small import loud

STACK, TIME, ROWS, FEATURES, HIDDEN = 3, 5, 4, 6, 7


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(*shape: int) -> Tensor:
    return torch.randn(*shape, FEATURES, generator=generator(1))


def build(kind: type[StackedGRU] | type[StackedMLP]) -> StackedGRU | StackedMLP:
    network = kind(STACK, FEATURES, HIDDEN, generator())
    loud(network)
    return network


def test_stacked_linear_is_a_loop_over_linear_maps() -> None:
    layer = StackedLinear(STACK, FEATURES, HIDDEN, 1.0, generator())
    loud(layer)
    given = rows(STACK, ROWS)
    loop = [F.linear(given[s], layer.weight[s].T, layer.bias[s, 0]) for s in range(STACK)]
    torch.testing.assert_close(layer(given), torch.stack(loop))


def test_reading_alike_is_every_network_on_the_same_rows() -> None:
    layer = StackedLinear(STACK, FEATURES, HIDDEN, 1.0, generator())
    loud(layer)
    given = rows(ROWS)
    expected = layer(given.expand(STACK, -1, -1))  # (S, R, outputs)
    torch.testing.assert_close(layer.columns_alike(given).transpose(1, 2), expected)
    torch.testing.assert_close(
        layer.columns(given.t().expand(STACK, -1, -1)).transpose(1, 2), expected
    )


def test_initial_weights_are_orthogonal_times_the_gain_and_differ_between_networks() -> None:
    layer = StackedLinear(STACK, FEATURES, HIDDEN, 0.5, generator())
    for weight in layer.weight:
        torch.testing.assert_close(weight @ weight.T, 0.25 * torch.eye(FEATURES))
    assert not torch.allclose(layer.weight[0], layer.weight[1])


@pytest.mark.parametrize("kind", [StackedGRU, StackedMLP])
def test_initial_weights_follow_from_the_generator_alone(
    kind: type[StackedGRU] | type[StackedMLP],
) -> None:
    before = torch.random.get_rng_state()
    first, second = kind(2, FEATURES, HIDDEN, generator(4)), kind(2, FEATURES, HIDDEN, generator(4))
    assert torch.equal(before, torch.random.get_rng_state())
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def torch_gru(network: StackedGRU, index: int) -> torch.nn.GRU:
    """The network of this index as torch's own module, behind the same input layer."""
    gru = torch.nn.GRU(HIDDEN, HIDDEN)
    with torch.no_grad():
        gru.weight_ih_l0.copy_(network.input.weight[index].T)
        gru.weight_hh_l0.copy_(network.recurrent[index].T)
        gru.bias_ih_l0.copy_(network.input.bias[index, 0])
        gru.bias_hh_l0.copy_(network.bias[index, 0])
    return gru


def test_stacked_gru_is_torchs_gru_forward_and_backward() -> None:
    network = build(StackedGRU)
    assert isinstance(network, StackedGRU)
    given = rows(STACK, TIME, ROWS)
    pull = torch.randn(STACK, TIME, ROWS, HIDDEN, generator=generator(2))
    hidden = network.sequence(given)
    (hidden * pull).sum().backward()
    for index in range(STACK):
        gru = torch_gru(network, index)
        embedded = torch.relu(
            F.linear(given[index], network.embed.weight[index].T, network.embed.bias[index, 0])
        )
        reference, _ = gru(embedded.detach())
        (reference * pull[index]).sum().backward()
        torch.testing.assert_close(hidden[index], reference, atol=1e-5, rtol=1e-4)
        assert network.recurrent.grad is not None and network.bias.grad is not None
        assert network.input.weight.grad is not None
        torch.testing.assert_close(
            network.recurrent.grad[index].T, gru.weight_hh_l0.grad, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            network.bias.grad[index, 0], gru.bias_hh_l0.grad, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            network.input.weight.grad[index].T, gru.weight_ih_l0.grad, atol=1e-4, rtol=1e-4
        )


def test_the_hand_written_backward_pass_agrees_with_finite_differences() -> None:
    # gates, recurrent, bias, start for H = 3
    shapes = ((2, 4, 3, 9), (2, 3, 9), (2, 1, 9), (2, 3, 3))
    given = [
        torch.randn(*shape, dtype=torch.float64, generator=generator(3), requires_grad=True)
        for shape in shapes
    ]
    assert torch.autograd.gradcheck(_GatedRecurrence.apply, given)


@pytest.mark.parametrize("kind", [StackedGRU, StackedMLP])
def test_stepping_is_the_sequence_forward_and_backward(
    kind: type[StackedGRU] | type[StackedMLP],
) -> None:
    network = build(kind)
    given = rows(STACK, TIME, ROWS)
    whole = network.sequence(given)
    state = torch.zeros(STACK, ROWS, network.state_size)
    steps = []
    for t in range(TIME):
        hidden, state = network.step(given[:, t], state)
        steps.append(hidden)
    stepped = torch.stack(steps, 1)
    torch.testing.assert_close(stepped, whole, atol=1e-5, rtol=1e-4)
    parameters = list(network.parameters())
    by_sequence = torch.autograd.grad(whole.square().sum(), parameters)
    by_steps = torch.autograd.grad(stepped.square().sum(), parameters)
    for one, other in zip(by_sequence, by_steps, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", [StackedGRU, StackedMLP])
def test_one_networks_gradient_never_touches_anothers_weights(
    kind: type[StackedGRU] | type[StackedMLP],
) -> None:
    network = build(kind)
    network.sequence(rows(STACK, TIME, ROWS))[1].square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad[1].abs().sum() > 0
        assert parameter.grad[[0, 2]].abs().sum() == 0


@pytest.mark.parametrize("kind", [StackedGRU, StackedMLP])
def test_a_sequence_does_not_look_ahead(kind: type[StackedGRU] | type[StackedMLP]) -> None:
    network = build(kind)
    given = rows(STACK, TIME, ROWS)
    changed = given.clone()
    changed[:, 3:] += 1.0
    now, other = network.sequence(given), network.sequence(changed)
    assert torch.equal(now[:, :3], other[:, :3])
    assert not torch.allclose(now[:, 3:], other[:, 3:])
