"""Stable-Baselines3 learns: ants to be recognised, paid by the callback; and to recognise, in a
MirrorTest."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import Neighbourhood, lineup_permutations
from mirrorenv.population.settings import ObserverSettings
from mirrorenv.population.train_batch import mirror_rewards
from tests.envs.strangers import Dying
from tests.population.small import loud
from tests.sb3.voices import Voices

pytest.importorskip("stable_baselines3", reason="needs the extra 'sb3': pip install '.[sb3]'")

from stable_baselines3 import A2C, DQN, PPO

from mirrorenv.sb3 import MirrorCallback, vec_env
from mirrorenv.sb3.episodes import record_of

ROOT = Path(__file__).resolve().parents[2]


def ants(
    steps: int, rows: int = 64, horizon: int = 12, seed: int = 0, **mirror: Any
) -> tuple[PPO, MirrorCallback]:
    env = vec_env("mirrorenv/ants-v0", rows, mirror=mirror, horizon=horizon, seed=seed)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=horizon,
        batch_size=512,
        n_epochs=4,
        learning_rate=2e-3,
        gamma=1.0,
        ent_coef=0.01,
        seed=seed,
    )
    callback = MirrorCallback(seed=seed)
    model.learn(steps * env.num_agents, callback=callback)
    return model, callback


def test_ants_paid_for_being_recognised_become_recognisable_and_others_do_not() -> None:
    paid = ants(rows=32, steps=6_000, weight=1.0)[1].score(64)
    unpaid = ants(rows=32, steps=3_000, weight=0.0)[1].score(64)
    assert paid.top1.value > 0.6
    assert unpaid.top1.value < 0.4
    assert paid.information.value > 0.5 * math.log(4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ants_of_full_length_are_recognised_almost_surely(seed: int) -> None:
    """The recipe, as it is."""
    place = importlib.util.spec_from_file_location("sb3_ants", ROOT / "training" / "sb3_ants.py")
    assert place is not None and place.loader is not None
    recipe = importlib.util.module_from_spec(place)
    place.loader.exec_module(recipe)
    *_, paid = recipe.train("mirrorenv/ants-v0", seed=seed, steps=40_000, weight=1.0)
    *_, unpaid = recipe.train("mirrorenv/ants-v0", seed=seed, steps=40_000, weight=0.0)
    assert paid.score.top1.low > 0.9
    assert unpaid.score.top1.high < 0.35


def test_a_stock_algorithm_learns_to_recognise_in_a_mirror_test() -> None:
    def top1(heard: bool) -> tuple[float, float]:
        env = vec_env(lambda: mirrorenv.MirrorTest(Voices(2, heard)), 16, agent_id=False)
        model = PPO(
            "MultiInputPolicy",
            env,
            n_steps=12,
            batch_size=192,
            n_epochs=4,
            learning_rate=2e-3,
            gamma=1.0,
            seed=0,
        )
        model.learn(3_500)
        env.seed(10**6)
        observations, told = env.reset(), []
        for _ in range(30):
            observations, _, _, infos = env.step(model.predict(observations, deterministic=True)[0])
            told += [info["mirror"] for info in infos if "mirror" in info]
        return float(np.mean([t["top1"] for t in told])), float(
            np.mean([t["recognition"] for t in told])
        )

    right, score = top1(heard=True)
    assert right > 0.85 and score > 0.3
    by_chance, worthless = top1(heard=False)
    assert abs(by_chance - 0.5) < 0.15 and worthless < 0.1


def test_rewards_reach_the_step_they_belong_to_across_rollouts() -> None:
    """With observers that do not change, what the buffer is paid over an episode's rollouts is its
    mirror return."""
    env = vec_env("mirrorenv/ants-v0", 3, horizon=10, mirror={"weight": 2.0})
    model = PPO("MlpPolicy", env, n_steps=7, batch_size=84, seed=0)  # 7 steps of episodes of 10

    class Watch(MirrorCallback):
        def _learn(self, experience: Any, permutation: Any) -> dict[str, float]:
            return {"observer_loss": 0.0}

        def _on_rollout_end(self) -> None:
            if not rewards:
                loud(self.observers.observers)
            super()._on_rollout_end()
            rewards.append(self.model.rollout_buffer.rewards.copy())  # type: ignore[attr-defined]
            for segment in env.log.rollout():  # type: ignore[union-attr]
                if segment.whole:
                    whole[segment.row, segment.episode] = segment

    rewards: list[Any] = []
    whole: dict[Any, Any] = {}
    callback = Watch(ObserverSettings(hidden=8))
    model.learn(7 * 12 * 6, callback=callback)
    paid = np.concatenate(rewards).reshape(-1, 3, 4)  # (steps, R, N)
    assert np.abs(paid).max() > 0.1
    for number in range(4):  # the number-th episode of each row
        for row in range(3):
            segment = [s for (r, _), s in sorted(whole.items()) if r == row][number]
            order = lineup_permutations(0, [segment.episode], "training", 4)[:, None]
            due = mirror_rewards(
                callback.observers,
                record_of([segment]),
                env.mirror,
                Neighbourhood.everybody(order),
                np.random.default_rng(0),
            )
            np.testing.assert_allclose(
                paid[number * 10 : number * 10 + 10, row], 2.0 * due[0], atol=1e-5
            )


def test_terminal_payment_waits_for_the_end() -> None:
    env = vec_env("mirrorenv/ants-v0", 2, horizon=6, mirror={"timing": "terminal"})
    model = A2C("MlpPolicy", env, n_steps=4, seed=0)
    paid = []

    class Watch(MirrorCallback):
        def _on_rollout_end(self) -> None:
            super()._on_rollout_end()
            paid.append(self.model.rollout_buffer.rewards.copy())  # type: ignore[attr-defined]

    model.learn(4 * 8 * 6, callback=Watch())
    flat = np.concatenate(paid)
    last = np.arange(len(flat)) % 6 == 5
    assert (np.abs(flat[last]).sum() > 0) and not flat[~last].any()


@pytest.mark.parametrize(
    "mirror", [{"credit": "team"}, {"control": "shuffled_labels"}, {"final_weight": 0.0}, {}]
)
def test_settings_of_the_mirror_are_obeyed_on_a_world_of_ones_own(mirror: Any) -> None:
    env = vec_env(lambda: Dying(3, 9), 4, mirror=mirror)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=96, n_epochs=1, seed=0)
    callback = MirrorCallback(ObserverSettings(hidden=8), epochs=1)
    model.learn(16 * 12 * 3, callback=callback)
    assert np.isfinite(model.rollout_buffer.advantages).all()
    assert callback.mirror_weight() == pytest.approx(0.0 if "final_weight" in mirror else 1.0)
    score = callback.score(32)
    assert 0 <= score.top1.value <= 1


def test_what_the_callback_cannot_do_is_refused() -> None:
    plain = vec_env("mirrorenv/ants-v0", 1)
    with pytest.raises(ConfigError, match="mirror="):
        PPO("MlpPolicy", plain, n_steps=8, batch_size=32).learn(8, callback=MirrorCallback())
    with pytest.raises(ConfigError, match="PPO or A2C"):
        DQN("MlpPolicy", vec_env("mirrorenv/ants-v0", 1, mirror={}), buffer_size=10).learn(
            8, callback=MirrorCallback()
        )
    for mirror, observer in (
        ({"control": "limit"}, {}),
        ({"timing": "window"}, {}),
        ({}, {"trunk": "shared"}),
        ({}, {"head": "likelihood"}),
    ):
        model = PPO(
            "MlpPolicy", vec_env("mirrorenv/ants-v0", 1, mirror=mirror), n_steps=8, batch_size=32
        )
        with pytest.raises(ConfigError, match=r"MirrorPPO|trunk"):
            model.learn(8, callback=MirrorCallback(ObserverSettings(**observer)))
