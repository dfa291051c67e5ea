"""MirrorCallback: observers beside a Stable-Baselines3 policy, trained on its rollouts and paying
for recognition.

Shape legend: E episodes, S steps of a rollout, T time (the horizon), R rows, N agents, K lineup
slots, J observers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback

from mirrorenv.envs import play_episodes
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import ConfigError, TrainingError
from mirrorenv.mirror import Belief, EpisodeBatch, Score, score_belief
from mirrorenv.mirror.arrays import Floats32, Ints64, join_columns
from mirrorenv.population.experience import (
    HELD_OUT_EPISODES,
    population_shape,
    world_seeds,
)
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.objectives import Hidden, optimiser_of
from mirrorenv.population.objectives.updates import after_update, clip_gradients, learn_from
from mirrorenv.population.population import Population
from mirrorenv.population.reading import observer_evidence
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import mirror_rewards, record_columns
from mirrorenv.sb3.auxiliaries import PolicyHost
from mirrorenv.sb3.episodes import Segment, record_of
from mirrorenv.sb3.rows import WorldRow
from mirrorenv.sb3.shared_policy import SharedPolicyVecEnv
from mirrorenv.sb3.wrapped import Glasses, alters_observations

__all__ = ["MirrorCallback"]


class MirrorCallback(BaseCallback):
    """Trains one observer for each agent and pays the mirror reward into the rollout buffer of PPO
    or A2C.

    After each rollout the observers read every episode that it touched, from the episode's first
    step. What their belief in the true author gained in each step is multiplied by the mirror
    weight and added to the rewards in the buffer, and returns and advantages are computed again.
    Then the observers learn from the names.

    Stable-Baselines3 has one critic with one discount factor, where MirrorPPO has a critic of its
    own for the mirror reward that does not discount. With gamma below 1 evidence is worth more the
    earlier it comes, which buys handshakes: set `gamma=1` where the world pays nothing, or as
    near as it allows.

    Logged: `mirror/return` (nats for each whole episode, unweighted), `mirror/weight`,
    `mirror/observer_loss`, `mirror/observer_accuracy`.

    Args:
        observer: how lineups are read; a head with weights of its own (`trunk="separate"`).
        epochs: passes of the observers over each rollout.
        minibatch_episodes: episodes in a minibatch.
        seed: of the observers' weights and choices.
        auxiliaries: further objectives of the policy, as in `population.auxiliaries`; they read
            its layer `policy`. What has weight 0 is a probe and leaves the policy as it is.
        verbose: as in Stable-Baselines3.

    Attributes:
        observers: a :class:`~mirrorenv.population.Population` of which only the heads are used.

    Raises:
        ConfigError: when training starts, if the algorithm keeps no rollout buffer, the environment
            is not from
            :func:`~mirrorenv.sb3.vec_env` with `mirror=...`, or a setting needs the policies of
            MirrorPPO.
    """

    observers: Population

    def __init__(
        self,
        observer: ObserverSettings | None = None,
        *,
        epochs: int = 4,
        minibatch_episodes: int = 64,
        seed: int = 0,
        auxiliaries: Iterable[Mapping[str, JsonValue]] = (),
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        if epochs < 1 or minibatch_episodes < 1:
            raise ConfigError(
                f"MirrorCallback: epochs and minibatch_episodes must be at least 1, got {epochs}, "
                f"{minibatch_episodes}"
            )
        self.settings = observer or ObserverSettings()
        self.epochs = epochs
        self.minibatch_episodes = minibatch_episodes
        self._seed = seed
        self._auxiliaries = tuple(auxiliaries)

    # -- what Stable-Baselines3 calls --------------------------------------------------------------

    def _init_callback(self) -> None:
        env = self.training_env.unwrapped
        if not isinstance(env, SharedPolicyVecEnv) or env.log is None or env.mirror is None:
            raise ConfigError(
                "MirrorCallback: the environment must be mirrorenv.sb3.vec_env(id, num_envs, "
                "mirror={...})"
            )
        buffer = getattr(self.model, "rollout_buffer", None)
        if not isinstance(buffer, RolloutBuffer | DictRolloutBuffer):
            raise ConfigError(
                f"MirrorCallback: {type(self.model).__name__} has no rollout buffer to pay into. "
                "Use PPO or A2C."
            )
        _check_settings(env.mirror, self.settings)
        self.env = env
        self.mirror = env.mirror
        if not hasattr(self, "observers"):  # learn() may be called again
            shape = population_shape(self._world(1))
            self.observers = Population(
                shape, PopulationSettings(hidden=1, observer=self.settings), self._seed
            )
            if self.observers.observers.needs_own:
                raise ConfigError(
                    f"MirrorCallback: the head '{self.settings.head}' needs the policies of "
                    "MirrorPPO"
                )
            self._rng = np.random.default_rng(self._seed)
            self._generator = torch.Generator().manual_seed(self._seed)
            self._set_objectives()

    def _on_rollout_start(self) -> None:
        assert self.env.log is not None
        self.env.log.start_rollout()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        assert self.env.log is not None
        segments = self.env.log.rollout()
        record = record_of(segments)
        episodes = np.array([segment.episode for segment in segments])
        lineups = neighbourhoods_of(
            self.observers, record, run=self.env.run, episodes=episodes, one_order=True
        )
        # (E, T, N)
        paid = mirror_rewards(self.observers, record, self.mirror, lineups, self._rng)
        whole = np.array([segment.whole for segment in segments])
        if self.mirror.timing == "terminal":
            paid[~whole] = 0.0  # these will be paid when they end
        weight = self.mirror_weight()
        self._pay(segments, weight * paid)
        for name, value in self._learn(record, lineups.authors).items():
            self.logger.record(f"mirror/{name}", value)
        self.logger.record("mirror/weight", weight)
        if whole.any():
            self.logger.record("mirror/return", float(paid[whole].sum(1).mean()))

    def _set_objectives(self) -> None:
        """The names, and auxiliaries of the policy."""
        observers = self.observers
        set_objectives(observers, self.mirror, LearningSettings(), seed=self._seed, acts=False)
        observers.objectives["recognition"].draws = self._generator
        self._host: PolicyHost | None = None
        if self._auxiliaries:
            if alters_observations(self.training_env):
                raise ConfigError(
                    "MirrorCallback: auxiliaries read the policy on the environment's own "
                    "observations; leave VecNormalize, VecFrameStack and their like out, or the "
                    "auxiliaries"
                )
            row = self.env.rows[0]
            assert isinstance(row, WorldRow)
            norm = float(getattr(self.model, "max_grad_norm", 0.5))
            self._host = PolicyHost(self.model.policy, row, observers, norm)
            observers.objectives |= self._host.objectives(self._auxiliaries, self._seed)
        self._optimizer = optimiser_of(observers.objectives)

    # -- paying and learning -----------------------------------------------------------------------

    def mirror_weight(self) -> float:
        """The weight of the mirror reward now; it moves to `final_weight` over the steps asked of
        `learn`."""
        if self.mirror.final_weight is None:
            return self.mirror.weight
        share = 1.0 - float(self.model._current_progress_remaining)
        return self.mirror.weight + share * (self.mirror.final_weight - self.mirror.weight)

    def _pay(self, segments: list[Segment], reward: Floats32) -> None:
        """Add (E, T, N) to the rollout buffer, where rewards are (S, R * N), and compute the
        advantages again."""
        buffer: RolloutBuffer = self.model.rollout_buffer  # type: ignore[attr-defined]
        agents = self.env.num_agents
        for segment, mine in zip(segments, reward, strict=True):
            steps = slice(segment.first, segment.first + segment.length - segment.before)
            columns = slice(segment.row * agents, (segment.row + 1) * agents)
            buffer.rewards[steps, columns] += mine[segment.before : segment.length]
        if not np.isfinite(buffer.rewards).all():
            raise TrainingError("a reward is not finite: does the world pay NaN or infinity?")
        buffer.compute_returns_and_advantage(
            last_values=self.locals["values"], dones=self.locals["dones"]
        )
        if not buffer.rewards.any():
            # Nothing was paid, so nothing is better than anything else. What is left is the
            # critic's own error, which PPO would standardise into a random walk of the policy:
            # agents would part without any reward.
            buffer.advantages[:] = 0.0

    def _learn(self, record: EpisodeBatch, authors: Ints64) -> dict[str, float]:
        """Teach the observers who made what, (E, 1, K); the means of their metrics."""
        names = (
            self._rng.permutation(self.env.num_agents)
            if self.mirror.control == "shuffled_labels"
            else None
        )
        columns = {
            **record_columns(record),
            "permutation": authors,
            "labels": authors if names is None else names[authors],
        }
        data = {
            name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
        }
        objectives = self.observers.objectives
        host = self._host
        learns = any(one.weight and one.reads_output for one in objectives.values())
        learn_from(objectives, data)
        parts: list[dict[str, float]] = []
        for _ in range(self.epochs):
            order = torch.randperm(len(authors), generator=self._generator)
            for rows in torch.split(order, self.minibatch_episodes):
                minibatch = {name: column[rows] for name, column in data.items()}
                seen = minibatch["observations"]
                output = Hidden({}) if host is None else host.hidden(seen, learns=learns)
                loss, metrics = self.observers.loss(minibatch, output)
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                clip_gradients(objectives, self.observers if host is None else host.policy)
                self._optimizer.step()
                if host is not None and learns:
                    host.step()
                after_update(objectives, output, minibatch)
                parts.append({name: float(value) for name, value in metrics.items()})
        return join_columns(parts, lambda values: float(np.mean(values)))

    # -- measuring ---------------------------------------------------------------------------------

    def score(self, episodes: int = 256, seed: int = 0) -> Score:
        """How well the observers name who did what, on episodes that no one was trained on.

        Args:
            episodes: to play, with the policy as it is, sampling its actions.
            seed: different seeds share no episode.

        Raises:
            ConfigError: if a wrapper around the environment is not known.
        """
        world = self._world(min(episodes, 256))
        row = self.env.rows[0]
        assert isinstance(row, WorldRow)

        glasses = Glasses(self.training_env)

        def act(observations: Floats32, t: int) -> NDArray[Any]:
            seen = glasses.see(row.present(observations), first=t == 0)
            chosen, _ = self.model.predict(seen, deterministic=False)
            return np.asarray(chosen).reshape(*observations.shape[:2], *chosen.shape[1:])

        ids = HELD_OUT_EPISODES + seed * episodes + np.arange(episodes, dtype=np.int64)
        record = play_episodes(world, act, world_seeds(self.env.run, ids))
        actions = self.env.as_read(record.actions)
        seen = record.observations.reshape(*record.mask.shape, -1)
        flat = EpisodeBatch(seen, actions, record.rewards, record.mask)
        lineups = neighbourhoods_of(self.observers, flat, run=self.env.run, episodes=ids)
        # (E, J, K, N)
        evidence = observer_evidence(self.observers, flat, lineups)[:, -1]
        belief = Belief(evidence.astype(np.float64))
        truth = np.broadcast_to(np.arange(belief.num_agents), belief.evidence.shape[:-1])
        return score_belief(
            belief, truth, decode="marginals" if self.observers.observers.joint else "independent"
        )

    def _world(self, copies: int) -> ArrayWorld:
        assert self.env.make_batch is not None
        return self.env.make_batch(copies)


def _check_settings(mirror: MirrorSettings, observer: ObserverSettings) -> None:
    """Refuse what this callback would only pretend to do."""
    if mirror.control == "limit":
        raise ConfigError("MirrorCallback: control='limit' needs the policies of MirrorPPO")
    if mirror.reward != "mirror":
        raise ConfigError(
            f"MirrorCallback: it pays the mirror reward; for reward={mirror.reward!r} use MirrorPPO"
        )
    if mirror.timing == "window":
        raise ConfigError(
            "MirrorCallback: timing='window' needs whole episodes; use 'dense' or 'terminal', or "
            "MirrorPPO"
        )
    if observer.neighbours:
        raise ConfigError(
            "MirrorCallback: observers are shown everybody here; for neighbours use MirrorPPO"
        )
    if observer.trunk != "separate":
        raise ConfigError(
            "MirrorCallback: observers read with weights of their own here; use trunk='separate'"
        )
