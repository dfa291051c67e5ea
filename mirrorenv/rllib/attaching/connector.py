"""The piece of the learner's pipeline that reads episodes, pays for recognition and brings lineups
to the heads.

It stands before everything that turns episodes into batches, so that whatever computes advantages
afterwards (GAE in PPO, V-trace in APPO and IMPALA) sees the reward with the mirror in it.

Shape legend: R episodes, T time, N agents, J observers, D observation, A action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns

from mirrorenv.errors import ConfigError, TrainingError
from mirrorenv.mirror import mirror_reward
from mirrorenv.mirror.arrays import Bools, Floats32, Floats64
from mirrorenv.rllib.attaching.module import (
    ACTIONS,
    LABELS,
    MASK,
    MIRROR,
    OBSERVATIONS,
    ORDER,
    MirrorModule,
)
from mirrorenv.rllib.attaching.rows import flat_rows, readable, width_of
from mirrorenv.rllib.attaching.settings import AttachSettings

__all__ = ["Cast", "MirrorPiece", "Pipeline"]

Batch = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Cast:
    """The agents of an environment, in its order, and what each sees and does."""

    name: str
    agents: tuple[Any, ...]
    sights: Mapping[Any, Any]
    acts: Mapping[Any, Any]

    def where(self, agent: Any) -> str:
        """What messages call one of them."""
        return f"{self.name}, agent '{agent}'"

    @property
    def observation_width(self) -> int:
        """D, of the agent that sees most."""
        return max(width_of(self.sights[agent], self.where(agent)) for agent in self.agents)

    @property
    def action_width(self) -> int:
        """A, of the agent that does most."""
        return max(width_of(self.acts[agent], self.where(agent)) for agent in self.agents)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What `config.learners(learner_connector=...)` takes: the mirror before the user's own pieces.

    Args:
        cast: who plays.
        settings: of the mirror.
        others: what makes the user's own pieces, if there are some.
    """

    cast: Cast
    settings: AttachSettings
    others: Any = None

    def __call__(self, observations: Any, actions: Any) -> list[ConnectorV2]:
        """All custom pieces of the learner's pipeline."""
        made = self.others(observations, actions) if self.others is not None else []
        after = list(made) if isinstance(made, list | tuple) else [made]
        return [MirrorPiece(self.cast, self.settings), *after]


class MirrorPiece(ConnectorV2):
    """Reads whole episodes of all agents, adds the mirror reward to theirs, and hands the lineups
    on to the heads.

    Modules also leave it in the order of their names. RLlib 2.60 has them in an order that differs
    between learners, and DistributedDataParallel then averages the gradients of different modules
    without an error (ray#63819).

    Args:
        cast: who plays.
        settings: of the mirror.
    """

    def __init__(self, cast: Cast, settings: AttachSettings) -> None:
        super().__init__(None, None)
        self.cast = cast
        self.settings = settings
        self._rng = np.random.default_rng(settings.seed)
        self._wrong: dict[int, Any] = {}
        self._seen = {
            agent: readable(cast.sights[agent], settings.unseen, cast.where(agent))
            for agent in cast.agents
        }

    def __call__(self, *, rl_module: Any, batch: Batch, episodes: Any, **kwargs: Any) -> Batch:
        """See `ConnectorV2`.

        Raises:
            ConfigError: if the algorithm's modules or its pipeline are not those that `attach` has
                set.
        """
        if MIRROR not in rl_module or Columns.LOSS_MASK not in batch:
            raise ConfigError(
                "attach: the module 'mirror' or RLlib's own connectors are gone: call "
                "mirrorenv.rllib.attach(config) after everything that sets modules and connectors"
            )
        module: MirrorModule = rl_module[MIRROR].unwrapped()
        record = self._record(episodes)
        belief = module.author_log_belief(*record)
        reward = self._reward(belief.numpy(), record[2] > 0)
        self._pay(episodes, reward)
        if not self.settings.bootstrap:
            _end_with_the_clock(batch, episodes)
        self._log(kwargs.get("metrics"), belief.numpy(), reward, record[2] > 0)
        columns = self._lineups(episodes, *record)
        return {**_by_module(batch), **columns}

    def _record(self, episodes: Sequence[Any]) -> tuple[Floats32, Floats32, Floats32]:
        """Observations (R, T, N, D), actions (R, T, N, A) and mask (R, T, N), zero elsewhere."""
        cast = self.cast
        time = max(_steps(agent) for one in episodes for agent in one.agent_episodes.values())
        lead = (len(episodes), time, len(cast.agents))
        observations = np.zeros((*lead, cast.observation_width), np.float32)
        actions = np.zeros((*lead, cast.action_width), np.float32)
        mask = np.zeros(lead, np.float32)
        for r, episode in enumerate(episodes):
            for n, agent in enumerate(cast.agents):
                played = episode.agent_episodes.get(agent)
                if played is None or not _steps(played):
                    continue
                steps = slice(0, _steps(played))
                where = cast.where(agent)
                seen = flat_rows(cast.sights[agent], played.get_observations(steps), where)
                done = flat_rows(cast.acts[agent], played.get_actions(steps), where)
                observations[r, steps, n, : seen.shape[1]] = seen * self._seen[agent]
                actions[r, steps, n, : done.shape[1]] = done
                mask[r, steps, n] = 1.0
        return observations, actions, mask

    def _reward(self, belief: Floats32, mask: Bools) -> Floats32:
        """(R, T, N) nats, before the weight."""
        settings = self.settings
        true = np.einsum("rtjnn->rtjn", np.minimum(belief, 0.0))
        return mirror_reward(
            true,
            mask,
            credit=settings.credit,
            timing=settings.timing,
            floor=settings.floor,
            teams=settings.teams,
        )

    def _pay(self, episodes: Sequence[Any], reward: Floats32) -> None:
        """Add the weighted reward to that of the environment."""
        if not self.settings.weight:
            return
        if not np.isfinite(reward).all():
            raise TrainingError("attach: the mirror reward is not finite; have observers diverged?")
        for r, episode in enumerate(episodes):
            for n, agent in enumerate(self.cast.agents):
                played = episode.agent_episodes.get(agent)
                if played is None or not _steps(played):
                    continue
                steps = slice(0, _steps(played))
                paid = np.asarray(played.get_rewards(steps), np.float32)
                paid = paid + self.settings.weight * reward[r, steps, n]
                played.set_rewards(new_data=paid, at_indices=steps)

    def _lineups(
        self, episodes: Sequence[Any], observations: Floats32, actions: Floats32, mask: Floats32
    ) -> dict[str, Any]:
        """One row for each episode, for the heads to learn from."""
        agents = len(self.cast.agents)
        columns: dict[str, Any] = {}
        for r, episode in enumerate(episodes):
            labels = np.arange(agents)
            if self.settings.control == "shuffled_labels":
                labels = self._rng.permutation(agents)
            row = {
                OBSERVATIONS: observations[r],
                ACTIONS: actions[r],
                MASK: mask[r],
                ORDER: self._rng.permutation(agents),
                LABELS: labels,
            }
            for name, value in row.items():
                columns.setdefault(name, {})[episode.id_, "lineup", MIRROR] = [value]
        return columns

    def _log(self, metrics: Any, belief: Floats32, reward: Floats32, mask: Bools) -> None:
        """Figures of episodes that the heads have not learned from yet."""
        if metrics is None:
            return
        last = np.maximum(mask.sum(axis=1).astype(int) - 1, 0)  # (R, N)
        final = np.take_along_axis(belief, last[:, None, None, :, None], axis=1)[:, 0]
        played: Bools = np.asarray(mask.any(axis=1))  # (R, N)
        figures = _figures(final.astype(np.float64), played)
        figures["mirror_return"] = float(reward.sum(axis=1)[played].mean())
        for name, value in figures.items():
            metrics.log_value((MIRROR, name), value, window=1)


def _figures(belief: Floats64, played: Bools) -> dict[str, float]:
    """Share of trajectories named right and nats told about them, over observers.

    Args:
        belief: (R, J, N, N) log belief after the last step, trajectory by name.
        played: (R, N) who acted at all.
    """
    agents = belief.shape[-1]
    right = belief.argmax(axis=3) == np.arange(agents)  # (R, J, N)
    nats = np.log(agents) + np.einsum("rjnn->rjn", belief)
    weight = np.broadcast_to(played[:, None], right.shape)
    return {
        "top1": float(right[weight].mean()),
        "information": float(nats[weight].mean()),
    }


def _steps(played: Any) -> int:
    """Steps that an agent really made: RLlib has put one more at the end, for the critic."""
    return max(len(played) - 1, 0)


def _end_with_the_clock(batch: Batch, episodes: Sequence[Any]) -> None:
    """What the clock cut off ends there: nothing is left to be recognised by."""
    for episode in episodes:
        if not episode.is_done:  # one learner's part of an episode, whose rest another has
            continue
        for agent, played in episode.agent_episodes.items():
            key = (played.multi_agent_episode_id, agent, played.module_id)
            ended = batch[Columns.TERMINATEDS].get(key)
            if ended is not None and len(ended) > 1:
                ended[-2] = True
                batch[Columns.TRUNCATEDS][key][-2] = False


def _by_module(batch: Batch) -> Batch:
    """The batch with its first column in the order of the modules' names: RLlib takes the order of
    modules from there."""
    first, *rest = batch
    ordered = dict(sorted(batch[first].items(), key=lambda item: str(item[0][-1])))
    return {first: ordered, **{name: batch[name] for name in rest}}
