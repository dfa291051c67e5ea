"""The adapter for RLlib's own algorithms: every world, every way to end, and what RLlib's own
adapter gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import ENV_CREATOR, _global_registry

from mirrorenv.envs import registry
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.rllib import register_worlds
from mirrorenv.rllib.command.stock import stock_config
from mirrorenv.rllib.multi_agent_env import PettingZooMultiAgentEnv
from tests.envs.strangers import Dying, Stranger
from tests.rllib.troubled import Blind, MixedEnd, Paying, Vanishing

ARRAY_WORLDS = sorted(id for id, spec in registry().items() if spec.kind == "array")


def played(env: Any, seed: int = 0, limit: int = 500) -> MultiAgentEpisode:
    """One episode of random actions, stored as RLlib's runner stores it."""
    observations, infos = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    spaces = {agent: env.get_action_space(agent) for agent in env.possible_agents}
    for i, space in enumerate(spaces.values()):
        space.seed(int(rng.integers(2**31)) + i)
    episode = MultiAgentEpisode(
        observation_space={
            agent: env.get_observation_space(agent) for agent in env.possible_agents
        },
        action_space=spaces,
        agent_to_module_mapping_fn=lambda agent, episode: "shared",
    )
    episode.add_env_reset(observations=observations, infos=infos)
    for _ in range(limit):
        actions = {agent: spaces[agent].sample() for agent in episode.get_agents_to_act()}
        answer = env.step(actions)
        names = ("observations", "rewards", "terminateds", "truncateds", "infos")
        episode.add_env_step(actions=actions, **dict(zip(names, answer, strict=True)))
        if answer[2]["__all__"] or answer[3]["__all__"]:
            return episode
    raise AssertionError("the episode never ended")


def flags(episode: MultiAgentEpisode) -> dict[str, tuple[bool, bool]]:
    return {
        agent: (bool(e.is_terminated), bool(e.is_truncated))
        for agent, e in episode.agent_episodes.items()
    }


@pytest.mark.parametrize("id", ARRAY_WORLDS)
def test_every_array_world_is_registered_and_plays_an_episode(id: str) -> None:
    assert id in register_worlds()
    env = _global_registry.get(ENV_CREATOR, id)({})
    episode = played(env)
    assert set(episode.agent_episodes) == set(env.possible_agents)
    for agent, one in episode.agent_episodes.items():
        space = env.get_observation_space(agent)
        assert all(space.contains(seen) for seen in one.get_observations())
        assert one.is_done
        assert len(one) <= env.env.world.horizon


def test_agents_that_are_all_cut_off_are_truncated_and_not_terminated() -> None:
    assert set(flags(played(PettingZooMultiAgentEnv(Stranger()))).values()) == {(False, True)}
    # Why there is an adapter of ours: RLlib's calls this end a termination, and so drops the value
    # of the last state.
    assert {ended for ended, _ in flags(played(ParallelPettingZooEnv(Stranger()))).values()} == {
        True
    }


def test_an_end_of_two_kinds_ends_the_episode_and_keeps_the_kinds() -> None:
    found = flags(played(PettingZooMultiAgentEnv(MixedEnd())))
    assert found["one_0"][0]
    assert found["one_1"] == found["one_2"] == (False, True)
    # RLlib's adapter goes on with nobody alive.
    with pytest.raises(Exception):  # noqa: B017  (whatever the stranger says about a step without agents)
        played(ParallelPettingZooEnv(MixedEnd()))


@given(seed=st.integers(0, 10_000), agents=st.integers(1, 5), steps=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_every_agent_keeps_the_end_it_had(seed: int, agents: int, steps: int) -> None:
    class Watched(Dying):
        truth: dict[str, tuple[bool, bool]] = {}  # noqa: RUF012

        def step(self, actions: dict[str, Any]) -> Any:
            answer = super().step(actions)
            self.truth |= {
                a: (answer[2][a], answer[3][a]) for a in answer[2] if answer[2][a] or answer[3][a]
            }
            return answer

    env = Watched(agents, max_cycles=steps)
    env.truth = {}
    episode = played(PettingZooMultiAgentEnv(env), seed)
    for agent, (ended, cut) in flags(episode).items():
        assert ended == env.truth[agent][0]
        assert cut or ended
        assert cut >= env.truth[agent][1]
    assert episode.is_done


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (Paying(), r"step 2, agent 'one_1': the reward is not finite"),
        (Blind(), r"step 2, agent 'one_0': the observation is not finite"),
        (Vanishing(), r"step 1, agent 'one_2': is gone, but was neither"),
    ],
    ids=["nan reward", "infinite observation", "gone without a flag"],
)
def test_a_broken_contract_names_world_step_and_agent(env: Any, says: str) -> None:
    with pytest.raises(WorldError, match=says):
        played(PettingZooMultiAgentEnv(env))


def test_a_seeded_environment_plays_the_same_episodes_again() -> None:
    def seeds(first: int) -> list[int]:
        env = _global_registry.get(ENV_CREATOR, "mirrorenv/ants-v0")({})
        # RLlib seeds the first alone
        resets = [env.reset(seed=first), *(env.reset() for _ in range(3))]
        return [infos["ant_0"]["seed"] for _, infos in resets]

    register_worlds()
    assert seeds(5) == seeds(5)
    assert not set(seeds(5)) & set(seeds(6))
    assert len(set(seeds(5))) == 4


def test_separate_policies_and_several_learners_are_refused() -> None:
    agents = [f"ant_{i}" for i in range(4)]
    assert (
        stock_config(
            "mirrorenv/ants-v0", {}, policies=agents, settings={"num_learners": 1}
        ).num_learners
        == 1
    )
    with pytest.raises(ConfigError, match="different policies without an error"):
        stock_config("mirrorenv/ants-v0", {}, policies=agents, settings={"num_learners": 2})
    with pytest.raises(ConfigError, match="one for each agent"):
        stock_config("mirrorenv/ants-v0", {}, policies=["a", "b"])
