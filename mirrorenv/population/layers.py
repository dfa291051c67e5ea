"""N networks as one: layers whose weights carry a leading stack dimension.

A population of N agents with separate weights is N small matrix products of equal shape, which is
one batched product. With shared weights the stack has size one and the agents' rows are folded into
it.

Shapes: S stack (N, or 1 when shared), R rows, T time, H hidden units, F input features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["StackedGRU", "StackedLinear", "StackedMLP"]


def _orthogonal(
    stack: int, rows: int, columns: int, gain: float, generator: torch.Generator
) -> Tensor:
    """A stack of independent orthogonal matrices, (S, rows, columns), float32."""
    matrices = torch.empty(stack, rows, columns)
    for matrix in matrices:
        nn.init.orthogonal_(matrix, gain, generator=generator)
    return matrices


class StackedLinear(nn.Module):
    """S independent affine maps, (S, R, F) -> (S, R, outputs).

    Args:
        stack: S, number of networks.
        features: F, inputs of each.
        outputs: outputs of each.
        gain: gain of the orthogonal initialisation.
        generator: source of the initial weights.
    """

    def __init__(
        self, stack: int, features: int, outputs: int, gain: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        # (S, F, outputs)
        self.weight = nn.Parameter(_orthogonal(stack, features, outputs, gain, generator))
        self.bias = nn.Parameter(torch.zeros(stack, 1, outputs))

    def forward(self, rows: Tensor) -> Tensor:
        """(S, R, F) -> (S, R, outputs)."""
        return torch.baddbmm(self.bias, rows, self.weight)

    def columns(self, columns: Tensor) -> Tensor:
        """The same map on inputs that stand as columns: (S, F, R) -> (S, outputs, R)."""
        return torch.baddbmm(self.bias.transpose(1, 2), self.weight.transpose(1, 2), columns)

    def columns_alike(self, rows: Tensor) -> Tensor:
        """The same rows through every network, (R, F) -> (S, outputs, R), as one wide matrix
        product.

        With the outputs first, the result of the wide product already is the stack, and with the
        bias as one more weight it is complete: nothing is moved or copied in memory.
        """
        stack, _, outputs = self.weight.shape
        # (S*outputs, F + 1)
        tall = torch.cat([self.weight, self.bias], 1).transpose(1, 2).flatten(0, 1)
        one = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)  # (R, F + 1)
        return (tall @ one.t()).view(stack, outputs, -1)

    def chosen_columns(self, columns: Tensor, chosen: Tensor) -> Tensor:
        """Some outputs only, those that each batch asks for; the others are not computed.

        Args:
            columns: (S, B, F, R), inputs as columns.
            chosen: (B, S, C) int64, which outputs.

        Returns:
            (S, B, C, R).
        """
        stack, batch, features, rows = columns.shape
        every = torch.cat([self.weight, self.bias], 1).transpose(1, 2)  # (S, outputs, F + 1)
        one = torch.nn.functional.one_hot(chosen.transpose(0, 1).flatten(1), every.shape[1])
        picked = one.to(every.dtype) @ every  # (S, B*C, F + 1); its gradient is a product, too
        weight = picked[..., :features].reshape(stack * batch, -1, features)
        bias = picked[..., features:].reshape(stack * batch, -1, 1)
        answer = torch.baddbmm(bias, weight, columns.reshape(stack * batch, features, rows))
        return answer.view(stack, batch, -1, rows)

    def own_columns(self, columns: Tensor) -> Tensor:
        """The map on inputs that stand as columns in batches: (S, B, F, R) -> (S, B, outputs, R).

        One small product for each batch: what comes out of it stays together in memory.
        """
        stack, batch, features, rows = columns.shape
        weight = self.weight.transpose(1, 2).unsqueeze(1).expand(-1, batch, -1, -1)
        bias = self.bias.transpose(1, 2).unsqueeze(1).expand(-1, batch, -1, -1)
        answer = torch.baddbmm(
            bias.flatten(0, 1), weight.flatten(0, 1), columns.reshape(-1, features, rows)
        )
        return answer.view(stack, batch, -1, rows)


class StackedMLP(nn.Module):
    """S independent tanh networks with two hidden layers, (S, R, F) -> (S, R, H)."""

    state_size = 0

    def __init__(self, stack: int, features: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = StackedLinear(stack, features, hidden, 2**0.5, generator)
        self.second = StackedLinear(stack, hidden, hidden, 2**0.5, generator)

    def forward(self, rows: Tensor) -> Tensor:
        """(S, R, F) -> (S, R, H)."""
        return self._layers(rows)["trunk"]

    def sequence(self, rows: Tensor) -> Tensor:
        """(S, T, R, F) -> (S, T, R, H); nothing is carried from step to step."""
        return self.sequence_layers(rows)["trunk"]

    def sequence_layers(self, rows: Tensor) -> dict[str, Tensor]:
        """`sequence` with the layer before it: "first" and "trunk", (S, T, R, H) each."""
        stack, time, count, features = rows.shape
        found = self._layers(rows.reshape(stack, time * count, features))
        return {name: layer.view(stack, time, count, -1) for name, layer in found.items()}

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: (S, R, F), state (S, R, 0) -> hidden (S, R, H), the same state."""
        return self.forward(rows), state

    def step_layers(self, rows: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """`step` with the layer before it."""
        return self._layers(rows), state

    def _layers(self, rows: Tensor) -> dict[str, Tensor]:
        first = torch.tanh(self.first.forward(rows))
        return {"first": first, "trunk": torch.tanh(self.second.forward(first))}


class StackedGRU(nn.Module):
    """S independent gated recurrent networks behind a ReLU input layer (Cho et al. 2014, reset gate
    after the product).

    `torch.nn.GRU` runs one network at a time; S small ones in a row are half as fast on a CPU as
    this stack with its hand-written backward pass, which also defers all weight gradients to one
    product over time.
    """

    def __init__(self, stack: int, features: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.state_size = hidden
        self.embed = StackedLinear(stack, features, hidden, 2**0.5, generator)
        self.input = StackedLinear(stack, hidden, 3 * hidden, 1.0, generator)
        recurrent = [_orthogonal(stack, hidden, hidden, 1.0, generator) for _ in range(3)]
        # (S, H, 3H): reset, update, candidate
        self.recurrent = nn.Parameter(torch.cat(recurrent, dim=-1))
        self.bias = nn.Parameter(torch.zeros(stack, 1, 3 * hidden))

    def sequence(self, rows: Tensor) -> Tensor:
        """(S, T, R, F) -> (S, T, R, H), starting from a zero state."""
        return self.sequence_layers(rows)["trunk"]

    def sequence_layers(self, rows: Tensor) -> dict[str, Tensor]:
        """`sequence` with the input layer before it: "first" and "trunk", (S, T, R, H) each."""
        stack, time, count, features = rows.shape
        first = self._first(rows.reshape(stack, time * count, features))
        gates = self.input.forward(first).view(stack, time, count, -1)  # (S, T, R, 3H)
        start = gates.new_zeros(stack, count, self.state_size)
        hidden: Tensor = _GatedRecurrence.apply(gates, self.recurrent, self.bias, start)  # type: ignore[no-untyped-call]
        return {"first": first.view(stack, time, count, -1), "trunk": hidden}

    def step(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: (S, R, F), state (S, R, H) -> hidden (S, R, H), next state (S, R, H)."""
        layers, state = self.step_layers(rows, state)
        return layers["trunk"], state

    def step_layers(self, rows: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """`step` with the input layer before it."""
        from_state = torch.baddbmm(self.bias, state, self.recurrent)
        first = self._first(rows)
        state = _cell(self.input.forward(first), from_state, state)[0]
        return {"first": first, "trunk": state}, state

    def _first(self, rows: Tensor) -> Tensor:
        return torch.relu(self.embed.forward(rows))


def _cell(
    from_input: Tensor, from_state: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One GRU cell: gates (S, R, 3H) twice and state (S, R, H) -> next state, both gates,
    candidate, its state part."""
    size = state.shape[-1]
    gates = torch.sigmoid(from_input[..., : 2 * size] + from_state[..., : 2 * size])  # (S, R, 2H)
    from_state = from_state[..., 2 * size :]
    # (S, R, H)
    candidate = _tanh(torch.addcmul(from_input[..., 2 * size :], gates[..., :size], from_state))
    return torch.lerp(candidate, state, gates[..., size:]), gates, candidate, from_state


def _tanh(x: Tensor) -> Tensor:
    """tanh; where no gradient is needed in place and through the sigmoid, which PyTorch computes
    faster on a CPU."""
    if torch.is_grad_enabled():
        return torch.tanh(x)
    return torch.sigmoid(x.mul_(2.0)).mul_(2.0).sub_(1.0)


class _GatedRecurrence(torch.autograd.Function):
    """The GRU's recurrence over time with backpropagation through time written out.

    gates (S, T, R, 3H), recurrent (S, H, 3H), bias (S, 1, 3H), start (S, R, H) -> hidden (S, T, R,
    H).
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, bias: Tensor, start: Tensor) -> Tensor:
        stack, time, count, _ = gates.shape
        size = start.shape[-1]
        hidden = gates.new_empty(time + 1, stack, count, size)
        both = gates.new_empty(time, stack, count, 2 * size)
        candidates = gates.new_empty(time, stack, count, size)
        from_states = gates.new_empty(time, stack, count, size)
        hidden[0] = state = start
        for t in range(time):
            product = torch.baddbmm(bias, state, recurrent)  # (S, R, 3H)
            state, both[t], candidates[t], from_states[t] = _cell(gates[:, t], product, state)
            hidden[t + 1] = state
        ctx.save_for_backward(hidden, both, candidates, from_states, recurrent)
        return hidden[1:].transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        hidden, both, candidate, from_state, recurrent = ctx.saved_tensors
        outside = gradients[0].transpose(0, 1)  # (T, S, R, H)
        time, stack, count, size = candidate.shape
        reset = both[..., :size]
        update = both[..., size:]
        # Local derivatives of every step at once; the loop below only chains them.
        to_candidate = (1 - update) * (1 - candidate * candidate)  # d state / d pre-candidate
        to_update = (hidden[:-1] - candidate) * update * (1 - update)
        to_reset = from_state * reset * (1 - reset)
        into_input = hidden.new_empty(time, stack, count, 3 * size)  # gradient of the input gates
        # gradient of recurrent @ state + bias
        into_state = hidden.new_empty(time, stack, count, 3 * size)
        transposed = recurrent.transpose(1, 2)
        carried = torch.zeros_like(hidden[0])
        for t in range(time - 1, -1, -1):
            carried = carried + outside[t]
            slope = carried * to_candidate[t]
            now = into_state[t]
            torch.mul(slope, to_reset[t], out=now[..., :size])
            torch.mul(carried, to_update[t], out=now[..., size : 2 * size])
            torch.mul(slope, reset[t], out=now[..., 2 * size :])
            into_input[t, ..., 2 * size :] = slope
            carried = torch.baddbmm(carried * update[t], now, transposed)
        into_input[..., : 2 * size] = into_state[..., : 2 * size]
        flat = into_state.transpose(0, 1).reshape(stack, time * count, 3 * size)
        states = hidden[:-1].transpose(0, 1).reshape(stack, time * count, size)
        return (
            into_input.transpose(0, 1),
            states.transpose(1, 2) @ flat,
            flat.sum(1, keepdim=True),
            carried,
        )
