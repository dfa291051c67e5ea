"""A causal language model as the host of auxiliaries."""

from __future__ import annotations

import pytest
import torch

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.population.objectives import build_objective
from mirrorenv.population.objectives.language_host import language_host, language_states
from mirrorenv.population.objectives.updates import after_update, sum_of_losses


@pytest.mark.parametrize("layer", ["embedding", "layer-1", "layer-2", ""])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_any_layer_of_a_causal_language_model_is_read(layer: str, weight: float) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.GPT2LMHeadModel(config).eval()
    given = (
        {"name": "mind_state", "codes": 4, "warm_up": 0, "layer": layer, "weight": weight},
        {"name": "self_model", "ahead": 1, "layer": layer, "weight": weight},
    )
    objectives = {one["name"]: build_objective(one, language_host(model)) for one in given}
    tokens = torch.randint(11, (3, 12), generator=torch.Generator().manual_seed(0))
    batch = {"mask": torch.ones(3, 12, 1)}
    out = model(input_ids=tokens, output_hidden_states=True)
    states = language_states(out.hidden_states)
    extra, metrics = sum_of_losses(objectives, None, states, batch)
    extra.backward()
    after_update(objectives, states, batch)
    felt_by = {name for name, one in model.named_parameters() if one.grad is not None}
    assert any(name.endswith("wte.weight") for name in felt_by) == bool(weight)
    assert {"mind_state/over_entropy", "self_model/unexplained"} <= metrics.keys()
    with pytest.raises(UnknownNameError, match="layer-2"):
        build_objective({**given[0], "layer": "layer-22"}, language_host(model))


def test_a_module_without_a_configuration_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear has no config"):
        language_host(torch.nn.Linear(2, 2))
