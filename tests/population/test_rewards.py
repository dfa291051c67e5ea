"""Intrinsic rewards beside the mirror: closed forms, discounts, and agents that part because of
them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.mirror import Neighbourhood
from mirrorenv.population.advantages import advantages
from mirrorenv.population.experience import Experience
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives import (
    Host,
    IntrinsicReward,
    build_objective,
    known_objectives,
    register_reward,
)
from mirrorenv.population.settings import LearningSettings, MirrorSettings, ObserverSettings
from mirrorenv.population.train_batch import Lots, check_reward, train_batch
from tests.population.small import BLIND, CONTINUOUS, DISCRETE, loud, population, some_experience

NAMES = sorted(set(known_objectives(paying=True)) - {"least_changed"})  # no model of its own
N = DISCRETE.num_agents


NO_LINEUPS = Neighbourhood.everybody(np.zeros((0, 1, 0), np.int64))


def built(name: str, shape=DISCRETE) -> IntrinsicReward:
    host = Host(
        {}, shape.num_agents, shape.action_features, shape, observer=ObserverSettings(hidden=8)
    )
    reward = build_objective({"name": name}, host)
    assert isinstance(reward, IntrinsicReward)
    return reward


def paid_by(reward: IntrinsicReward, model, experience: Experience):
    return reward.pay(
        model, experience, Lots(NO_LINEUPS, np.random.default_rng(0), MirrorSettings())
    )


def as_batch(experience: Experience) -> dict[str, torch.Tensor]:
    arrays = {name: getattr(experience, name) for name in ("observations", "actions")}
    return {name: torch.from_numpy(a) for name, a in arrays.items()} | {
        "mask": torch.from_numpy(experience.mask) * 1.0
    }


def test_the_mirror_has_no_model():
    model = population()
    set_objectives(model, MirrorSettings(), LearningSettings())
    assert model.payer is model.objectives["recognition"]
    assert not list(model.payer.parameters()) and list(model.objectives) == ["ppo", "recognition"]


def test_the_old_way_to_register_is_refused_with_the_new_one_named():
    with pytest.raises(ConfigError, match="register_objective"):
        register_reward("mine")


@pytest.mark.parametrize(("name", "paid"), [("eoi", 1 / N), ("diayn", 0.0)])
def test_a_classifier_that_knows_nobody_pays_chance(name, paid):
    model, reward = population(), built(name)
    experience = some_experience(model)
    torch.nn.init.zeros_(reward.classifier.output.weight)
    time = experience.mask.shape[1]
    np.testing.assert_allclose(
        paid_by(reward, model, experience), np.where(experience.mask, paid / time, 0.0), atol=1e-6
    )


@pytest.mark.parametrize("name", ["eoi", "diayn"])
def test_classifiers_pay_what_the_paper_says_at_every_step(name):
    model, reward = population(), built(name)
    loud(reward)
    experience = some_experience(model)
    paid, trunk, output = (
        paid_by(reward, model, experience),
        reward.classifier.trunk,
        reward.classifier.output,
    )
    for b, t, n in np.argwhere(experience.mask):
        x = experience.observations[b, t, n]
        for layer, squash in ((trunk.first, np.tanh), (trunk.second, np.tanh), (output, np.array)):
            weight, bias = (p.detach().double().numpy()[0] for p in (layer.weight, layer.bias))
            x = squash(x @ weight + bias[0])
        p = np.exp(x[n]) / np.exp(x).sum()
        said = p if name == "eoi" else math.log(p) - math.log(1 / N)
        assert paid[b, t, n] == pytest.approx(said / experience.mask.shape[1], rel=1e-4, abs=1e-6)
    assert not paid[~experience.mask].any()


def test_diayn_starts_at_the_cross_entropy_of_chance_and_eoi_at_one_and_a_fifth_of_it():
    for name, factor in (("diayn", 1.0), ("eoi", 1.2)):
        model, reward = population(), built(name)
        torch.nn.init.zeros_(reward.classifier.output.weight)
        loss = reward.model_loss(model, as_batch(some_experience(model)))
        assert loss.item() == pytest.approx(factor * math.log(N), rel=1e-5)


@pytest.mark.parametrize("shape", [DISCRETE, CONTINUOUS])
def test_cds_pays_for_what_the_others_would_not_have_done(shape):
    model, reward = population(shape=shape), built("cds", shape)
    loud(model)
    for network in (reward.named, reward.nameless):  # both predict nothing: their errors cancel
        torch.nn.init.zeros_(network.output.weight)
    experience = some_experience(model, ragged=False)
    observations, actions = (
        torch.from_numpy(x) for x in (experience.observations, experience.actions)
    )
    # (B, T, K, N)
    log_p = model.actor.replay_log_probability(observations, actions).detach().double()
    own = torch.diagonal(log_p, dim1=2, dim2=3)
    wanted = (own.exp() / log_p.exp().mean(3)).log().numpy()
    paid = paid_by(reward, model, experience) * experience.mask.shape[1]
    np.testing.assert_allclose(paid, wanted, atol=1e-4)
    assert paid.max() <= math.log(N) + 1e-5


def test_cds_pays_nothing_to_agents_that_are_alike():
    model, reward = population(weights="shared", gain=1e-6), built("cds")
    for network in (reward.named, reward.nameless):
        torch.nn.init.zeros_(network.output.weight)
    np.testing.assert_allclose(paid_by(reward, model, some_experience(model)), 0.0, atol=1e-5)


def test_cds_pays_for_what_only_the_name_foretells_except_at_the_last_step():
    model, reward = population(weights="shared", gain=1e-6), built("cds")
    experience = some_experience(model)
    for network, output in ((reward.named, 1.0), (reward.nameless, 0.0)):
        torch.nn.init.zeros_(network.output.weight)
        torch.nn.init.constant_(network.output.bias, output)
    seen, mask = experience.observations.astype(np.float64), experience.mask
    gain = 0.5 * ((seen[:, 1:] ** 2).sum(-1) - ((seen[:, 1:] - 1.0) ** 2).sum(-1))
    wanted = np.zeros(mask.shape)
    wanted[:, :-1] = np.where(mask[:, 1:], gain, 0.0)
    np.testing.assert_allclose(
        paid_by(reward, model, experience) * mask.shape[1], wanted, atol=1e-4
    )


@pytest.mark.parametrize("shape", [DISCRETE, CONTINUOUS, BLIND])
@pytest.mark.parametrize("name", NAMES)
def test_every_reward_fits_every_world(name, shape):
    model, reward = population(shape=shape), built(name, shape)
    experience = some_experience(model)
    before = [p.clone() for p in reward.parameters()]
    optimizer = torch.optim.Adam(reward.parameters(), lr=1e-2)
    reward.model_loss(model, as_batch(experience)).backward()
    optimizer.step()
    assert shape is BLIND or any(
        (p != q).any() for p, q in zip(reward.parameters(), before, strict=True)
    )
    paid = paid_by(reward, model, experience)
    assert (
        paid.shape == experience.mask.shape and np.isfinite(paid).all() and paid.dtype == np.float32
    )
    # nobody acts differently for the model's loss
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_every_reward_fits_an_episode_of_one_step(name):
    model, reward = population(), built(name)
    experience = some_experience(model, time=1)
    loss = reward.model_loss(model, as_batch(experience))
    assert np.isfinite(paid_by(reward, model, experience)).all() and torch.isfinite(loss)
    loss.backward()


def batch_of(experience, model, mirror, reward=None):
    keys = {"run": 0, "episodes": np.arange(len(experience.mask)), "rng": np.random.default_rng(3)}
    if reward is not None:
        model.objectives, model.paying = {"reward": reward}, "reward"
    else:
        set_objectives(model, mirror, LearningSettings())
    return train_batch(model, experience, mirror, LearningSettings(gamma=0.9), **keys)


def test_what_is_no_mirror_is_discounted_and_goes_on_where_the_clock_cut_it_off():
    model, reward = population(), built("eoi")
    experience = some_experience(model)
    last = np.random.default_rng(1).normal(size=experience.last_value.shape).astype(np.float32)
    experience = experience.with_columns(last_mirror_value=last)
    columns = batch_of(experience, model, MirrorSettings(reward="eoi"), reward)
    values = {"last_value": last, "gamma": 0.9, "lam": 0.95}
    wanted, _ = advantages(
        paid_by(reward, model, experience), experience.mirror_value, experience.mask, **values
    )
    np.testing.assert_array_equal(columns["mirror_advantage"], wanted)
    plain = batch_of(experience, model, MirrorSettings())
    for name in ("environment_advantage", "environment_target", "permutation", "labels"):
        np.testing.assert_array_equal(columns[name], plain[name])


def test_noise_in_its_place_has_its_variance():
    model, reward = population(), built("diayn")
    loud(reward)
    experience = some_experience(model, batch=400)
    paid = paid_by(reward, model, experience)
    noise = batch_of(
        experience, model, MirrorSettings(reward="diayn", control="random_reward"), reward
    )
    spread = noise["mirror_return"].std() / math.sqrt(experience.mask.sum(1).mean())
    assert spread == pytest.approx(paid[experience.mask].std(), rel=0.1)


def test_names_and_settings_that_do_not_fit_are_refused():
    with pytest.raises(UnknownNameError, match="eoi"):
        check_reward(MirrorSettings(reward="eio"), N)
    for settings in (
        {"credit": "team"},
        {"timing": "terminal"},
        {"control": "limit"},
        {"control": "shuffled_labels"},
    ):
        with pytest.raises(ValidationError, match="is of the mirror reward"):
            MirrorSettings(reward="eoi", **settings)
    with pytest.raises(ConfigError, match=r"mirror.*timing = 'terminal' is of the mirror reward"):
        MirrorSettings.checked({"reward": "cds", "timing": "terminal"}, "mirror")
