"""A ByT5 of two random layers: adapters learn, the base does not move, merging changes nothing.

No real weights are to be had here, so that is all that is tested.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra trl")
pytest.importorskip("peft", reason="needs the extra trl")

import transformers

from benchmarks.shared.runner import load_recipe
from mirrorenv.bytes.byt5 import ByT5Actor
from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.population import Population, population_shape
from mirrorenv.population.actions import Bytes, Choice
from mirrorenv.population.actors import build_actor
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.settings import LearningSettings, PopulationSettings, PopulationShape


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = transformers.T5Config(
        vocab_size=384,
        d_model=16,
        d_kv=4,
        d_ff=24,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        dropout_rate=0.1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.T5ForConditionalGeneration(config)
    path: Path = tmp_path_factory.mktemp("byt5")
    model.save_pretrained(path)
    return path


def settings_of(folder: Path, **more: Any) -> PopulationSettings:
    options = {"folder": str(folder), "rank": 2, "prompt": 6, **more}
    return PopulationSettings(actor="byt5", actor_options=options)


def speakers(folder: Path, seed: int = 0, spread: float = 0.3) -> ByT5Actor:
    shape = PopulationShape(num_agents=2, observation_size=8, actions=Bytes(length=4))
    actor = build_actor(shape, settings_of(folder), torch.Generator().manual_seed(seed))
    assert isinstance(actor, ByT5Actor)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, one in actor.speech.adapters.items():
            if "lora_B" in name:
                one.copy_(spread * torch.randn(one.shape, generator=generator))
    return actor


def seen(rows: int) -> torch.Tensor:
    return torch.rand(rows, 2, 8, generator=torch.Generator().manual_seed(1))


def test_what_is_said_with_a_cache_has_the_logits_of_a_full_pass(folder: Path) -> None:
    actor = speakers(folder)
    with torch.no_grad():
        spoken = actor.step(seen(3), actor.initial_state(3))[0].distribution
        said = spoken._fold(spoken.sample(torch.Generator().manual_seed(0)))
        whole = actor.speech.logits(spoken.intent, said)
        one, cache = actor.speech.first(spoken.intent)
        for place in range(4):
            torch.testing.assert_close(one, whole[:, :, place], atol=1e-5, rtol=1e-4)
            if place < 3:
                one, cache = actor.speech.next(said[:, :, place], place + 1, cache)


def test_probabilities_of_one_byte_sum_to_one_and_agents_differ_by_adapters(folder: Path) -> None:
    for spread, alike in ((0.0, True), (0.3, False)):
        actor = speakers(folder, spread=spread)
        same = seen(1)[:, :1].expand(1, 2, 8)
        with torch.no_grad():
            intent = actor.sequence(same).distribution.intent
            first, _ = actor.speech.first(intent)
        assert first.shape == (2, 1, 256)
        assert torch.allclose(first[0], first[1]) == alike


def test_any_utterance_is_replayed_under_any_agent(folder: Path) -> None:
    actor = speakers(folder)
    observations = seen(3).unsqueeze(0)  # (B = 1, T = 3, K, D)
    said = torch.randint(0, 256, (1, 3, 2, 4), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        every = actor.replay_log_probability(observations, said)  # (1, 3, K, N)
        own = actor.sequence(observations).distribution.log_probability(said)
    torch.testing.assert_close(every.diagonal(dim1=2, dim2=3), own)
    assert not torch.allclose(every[..., 0], every[..., 1])


def test_a_merged_adapter_says_the_same(folder: Path) -> None:
    actor = speakers(folder)
    said = torch.randint(0, 256, (2, 3, 4), generator=torch.Generator().manual_seed(2))
    prompts = (seen(3)[..., :6].transpose(0, 1) * 255).round().long()
    with torch.no_grad():
        apart = actor.speech.logits(actor.speech.encode(prompts), said)
        read = torch.cat([torch.zeros_like(said[..., :1]), said[..., :-1] + 3], -1)
        for agent in (0, 1):
            model = actor.speech.merged(agent)
            whole = model(input_ids=prompts[agent] + 3, decoder_input_ids=read[agent]).logits
            torch.testing.assert_close(apart[agent], whole[..., 3:259], atol=1e-3, rtol=1e-3)


def test_adapters_learn_and_the_base_stays_to_the_bit(folder: Path, tmp_path: Path) -> None:
    bare_loop: Any = load_recipe("bare_loop")
    options = {"num_agents": 2, "length": 3, "horizon": 2, "execute": False, "memories": 0}
    rows = {"episodes_per_iteration": 4, "minibatch_episodes": 4, "epochs": 1}
    world_shape = population_shape(make_batch("mirrorenv/bytes-v0", 1, **options))
    population = Population(world_shape, settings_of(folder), 0)
    actor = population.actor
    assert isinstance(actor, ByT5Actor)
    base = {name: one.clone() for name, one in actor.speech.base_weights().items()}
    before = {name: one.detach().clone() for name, one in actor.speech.adapters.items()}
    training = bare_loop.train(
        "mirrorenv/bytes-v0",
        learning=LearningSettings(**rows),
        world_options=options,
        population=population,
    )
    for _ in range(3):
        next(training)
    for name, one in actor.speech.base_weights().items():
        assert torch.equal(one, base[name]), name
    moved = [
        name for name, one in actor.speech.adapters.items() if not torch.equal(one, before[name])
    ]
    assert any("agent0" in name for name in moved) and any("agent1" in name for name in moved)
    save_population(tmp_path / "held", population, {})
    held, _ = load_population(tmp_path / "held")
    assert not any("encoder" in name and "lora_" not in name for name in held.state_dict())
    for name, one in population.state_dict().items():
        assert torch.equal(one, held.state_dict()[name])


def test_a_folder_without_a_model_and_a_world_without_utterances_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    shape = PopulationShape(num_agents=2, observation_size=8, actions=Bytes(length=4))
    with pytest.raises(ConfigError, match="no ByT5"):
        build_actor(shape, settings_of(tmp_path), torch.Generator())
    silent = PopulationShape(num_agents=2, observation_size=8, actions=Choice(choices=3))
    with pytest.raises(ConfigError, match="byt5 speaks"):
        build_actor(silent, settings_of(folder), torch.Generator())
