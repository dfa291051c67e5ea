"""Our Adam is PyTorch's, to the bit, and each reads the other's state."""

from __future__ import annotations

import subprocess
import sys

import torch

from mirrorenv.population.adam import Adam, FusedAdam

SHAPES = ((3, 4), (5,), (2, 1, 6))


def weights() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def give_gradients(parameters: list[torch.nn.Parameter], turn: int) -> None:
    """The last one has none in every second turn."""
    generator = torch.Generator().manual_seed(100 + turn)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 0.1
    if turn % 2:
        parameters[-1].grad = None


def theirs(parameters: list[torch.nn.Parameter]) -> torch.optim.Adam:
    groups = [{"params": parameters[:2], "lr": 3e-3}, {"params": parameters[2:], "lr": 1e-2}]
    return torch.optim.Adam(groups, eps=1e-5)


def ours(parameters: list[torch.nn.Parameter]) -> Adam:
    return Adam([(parameters[:2], 3e-3), (parameters[2:], 1e-2)])


def test_every_step_is_pytorchs_to_the_bit() -> None:
    here = weights()
    there = weights()
    mine = ours(here)
    other = theirs(there)
    for turn in range(6):
        give_gradients(here, turn)
        give_gradients(there, turn)
        mine.step()
        other.step()
        for one, two in zip(here, there, strict=True):
            assert torch.equal(one, two)
    found = mine.state_dict()
    expected = other.state_dict()
    assert found["param_groups"] == [{**group, "fused": None} for group in expected["param_groups"]]
    assert found["state"].keys() == expected["state"].keys()
    for number, state in expected["state"].items():
        assert all(torch.equal(found["state"][number][name], state[name]) for name in state)


def test_a_state_of_pytorchs_is_gone_on_with() -> None:
    here = weights()
    there = weights()
    other = theirs(there)
    for turn in range(3):
        give_gradients(there, turn)
        other.step()
    with torch.no_grad():
        for one, two in zip(here, there, strict=True):
            one.copy_(two)
    mine = ours(here)
    mine.load_state_dict(other.state_dict())
    for turn in range(3, 6):
        give_gradients(here, turn)
        give_gradients(there, turn)
        mine.step()
        other.step()
    assert all(torch.equal(one, two) for one, two in zip(here, there, strict=True))


def test_forgetting_gradients_leaves_weights_where_they_are() -> None:
    here = weights()
    before = [one.detach().clone() for one in here]
    mine = ours(here)
    give_gradients(here, 0)
    mine.zero_grad()
    mine.step()
    assert all(torch.equal(one, two) for one, two in zip(here, before, strict=True))


def test_the_first_step_of_a_process_loads_no_compiler() -> None:
    code = (
        "import sys, torch\n"
        "from mirrorenv.population.adam import Adam\n"
        "one = torch.nn.Parameter(torch.ones(3))\n"
        "adam = Adam([([one], 1e-3)])\n"
        "one.grad = torch.ones(3)\n"
        "adam.step()\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False"]


def test_the_one_for_a_device_is_the_same_but_for_rounding() -> None:
    here = weights()
    there = weights()
    fused = FusedAdam([(here[:2], 3e-3), (here[2:], 1e-2)])
    other = theirs(there)
    for turn in range(6):
        give_gradients(here, turn)
        give_gradients(there, turn)
        fused.step()
        other.step()
        for one, two in zip(here, there, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-7)
    fused.zero_grad()
    assert all(parameter.grad is None for parameter in here)
