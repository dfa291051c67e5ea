"""From played episodes to what the learner is given: beliefs, mirror rewards, advantages.

Shapes: B episodes, T time, N agents, K lineup slots, J observers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mirrorenv.errors import TrainingError
from mirrorenv.mirror import (
    EpisodeBatch,
    Neighbourhood,
    log_permutation_marginals,
    mirror_reward,
    random_windows,
)
from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.advantages import advantages
from mirrorenv.population.columns import as_floats
from mirrorenv.population.experience import Experience
from mirrorenv.population.neighbourhood import check_mirror, neighbourhoods_of
from mirrorenv.population.objectives.base import objective_class
from mirrorenv.population.population import Population
from mirrorenv.population.reading import author_log_belief
from mirrorenv.population.settings import LearningSettings, MirrorSettings

__all__ = [
    "Columns",
    "Lots",
    "check_reward",
    "combine_advantages",
    "learner_columns",
    "limit_author_log_belief",
    "mirror_pay",
    "mirror_rewards",
    "record_columns",
    "train_batch",
]

Columns = dict[str, NDArray[Any]]
# used up here, by `advantages`
_CRITICS = ("environment_value", "mirror_value", "last_value", "last_mirror_value")
# made here for `learner_columns` and for reports; every other column travels to the learners
_BEFORE_LEARNING = (
    "environment_advantage",
    "mirror_advantage",
    "environment_return",
    "mirror_return",
)


class Lots(NamedTuple):
    """What stands fixed for a batch of episodes, before anything is paid."""

    lineups: Neighbourhood
    """Which agents each observer is shown, and in which order."""
    rng: np.random.Generator
    """Source of windows, observer subsets, control noise, and whatever else a reward draws."""
    mirror: MirrorSettings
    """What the run says of the reward."""


def check_reward(mirror: MirrorSettings, agents: int) -> None:
    """Whether this reward can be paid to this many agents, before anything is played: a step at
    chance is paid.

    Raises:
        ConfigError: for teams or a floor that do not fit.
        UnknownNameError: if no reward of that name is registered.
    """
    if mirror.reward != "mirror":
        objective_class(mirror.reward, paying=True)
    chance = np.full((1, 1, agents, agents), -math.log(agents))
    alone = np.ones((1, 1, agents), bool)
    mirror_reward(
        chance,
        alone,
        credit=mirror.credit,
        timing="terminal",
        floor=mirror.floor,
        teams=mirror.teams,
    )


@torch.no_grad()
def limit_author_log_belief(population: Population, record: EpisodeBatch) -> Floats32:
    """The exact limit in place of a learned belief: (B, T, 1, N) log marginal of the true author
    after every step."""
    observations = as_floats(torch.from_numpy(record.observations))
    actions = torch.from_numpy(record.actions)
    log_p = population.actor.replay_log_probability(observations, actions)  # (B, T, K, N)
    log_p = log_p * torch.from_numpy(record.mask)[..., None]
    # slots stand in author order here
    marginals = log_permutation_marginals(log_p.double().cumsum(1).numpy())
    return np.diagonal(marginals, axis1=2, axis2=3)[:, :, None].astype(np.float32)


def train_batch(
    population: Population,
    experience: Experience,
    mirror: MirrorSettings | None,
    learning: LearningSettings,
    *,
    run: int,
    episodes: NDArray[np.int64],
    rng: np.random.Generator,
) -> Columns:
    """Columns of a train batch; a row is one whole episode.

    Args:
        population: current weights, observer heads included; its `payer` pays.
        experience: B episodes.
        mirror: the reward and its controls; None reads no lineup and pays nothing.
        learning: discount factors.
        run: seed of the run, from which lineups are shuffled.
        episodes: (B,) ids of the episodes within the run.
        rng: source of windows, observer subsets and control noise.

    Returns:
        observations, actions, rewards, mask, permutation (B, J, K), labels (B, J, K),
        environment_advantage, mirror_advantage, environment_target, mirror_target, for the metrics
        environment_return, mirror_return (B, N), and every column of the experience that is not
        used up here: log_probability, fed, whatever else was recorded. Permutation and labels are
        the agent in each slot and the name taught for it; J = 1 where all observers are shown
        everybody.
    """
    lineups = neighbourhoods_of(population, experience, run=run, episodes=episodes, one_order=True)
    paid, discounted = _paid(population, experience, mirror, lineups, rng)
    authors = lineups.authors
    labels = authors
    if mirror is not None and mirror.control == "shuffled_labels":
        # fresh false names for this iteration
        labels = rng.permutation(population.shape.num_agents)[authors]
    scaled = experience.rewards * np.float32(learning.reward_scale)
    mask = experience.mask
    lam = learning.gae_lambda
    advantage, target = advantages(
        scaled,
        experience.environment_value,
        mask,
        last_value=experience.last_value,
        gamma=learning.gamma,
        lam=lam,
    )
    if not scaled.any() or not population.actor.environment_teaches:
        # Nothing was paid, so nothing is better than anything else. What is left is the critic's
        # own error, which standardising would blow up into a random walk of the policies: agents
        # would part without any reward.
        advantage = np.zeros_like(advantage)
    mirror_advantage, mirror_target = advantages(
        paid,
        experience.mirror_value,
        mask,
        last_value=experience.last_mirror_value if discounted else None,
        gamma=learning.gamma if discounted else 1.0,
        lam=lam,
    )
    return {
        **record_columns(experience),
        "permutation": authors,
        "labels": labels,
        "environment_advantage": advantage,
        "mirror_advantage": mirror_advantage,
        "environment_target": target,
        "mirror_target": mirror_target,
        "environment_return": experience.rewards.sum(1),
        "mirror_return": paid.sum(1),
    }


def record_columns(record: EpisodeBatch) -> Columns:
    """A record as learners are given it: columns by name, (B, ...) each, the mask as float32.

    The values of critics stay behind: they become advantages and targets.
    """
    travelling = {name: one for name, one in record.columns.items() if name not in _CRITICS}
    return {
        "observations": record.observations,
        "actions": record.actions,
        "rewards": record.rewards,
        "mask": record.mask.astype(np.float32),
        **travelling,
    }


def _paid(
    population: Population,
    experience: Experience,
    mirror: MirrorSettings | None,
    lineups: Neighbourhood,
    rng: np.random.Generator,
) -> tuple[Floats32, bool]:
    """What is paid beside the environment's reward, (B, T, N), and whether it is discounted.

    Raises:
        TrainingError: if the population does not hold what pays this reward.
    """
    if mirror is None:
        return np.zeros_like(experience.rewards), False
    payer = population.payer
    if payer is None or payer.settings.name != mirror.reward:
        raise TrainingError(
            f"mirror.reward = {mirror.reward} is paid by an objective that this population does "
            "not have: call mirrorenv.population.learning.set_objectives first"
        )
    paid = payer.pay(population, experience, Lots(lineups, rng, mirror))
    return _apply_controls(paid, experience.mask, mirror, rng), payer.discounted


def learner_columns(columns: Columns, weight: float) -> Columns:
    """What the learners are given: every column by its name, with the advantages weighed.

    Args:
        columns: from `train_batch`.
        weight: of the mirror reward now.
    """
    travelling = {name: column for name, column in columns.items() if name not in _BEFORE_LEARNING}
    return {**travelling, "advantage": combine_advantages(columns, weight)}


def mirror_rewards(
    population: Population,
    record: EpisodeBatch,
    mirror: MirrorSettings,
    lineups: Neighbourhood,
    rng: np.random.Generator,
) -> Floats32:
    """What the mirror pays, its controls included: (B, T, N) float32.

    Args:
        population: whose heads read (and whose actors are the limit, for the control of that name).
        record: B episodes.
        mirror: the reward and its controls.
        lineups: which agents each observer is shown, and in which order.
        rng: source of windows, observer subsets and control noise.

    Raises:
        ConfigError: if observers of neighbourhoods cannot pay this reward.
        TrainingError: if a reward is not finite.
    """
    paid = mirror_pay(population, record, Lots(lineups, rng, mirror))
    return _apply_controls(paid, record.mask, mirror, rng)


def mirror_pay(population: Population, record: EpisodeBatch, lots: Lots) -> Floats32:
    """What the mirror pays before noise takes its place, where that is the control: (B, T, N).

    Args:
        population: whose heads read (and whose actors are the limit, for the control of that name).
        record: B episodes.
        lots: lineups, source of windows and observer subsets, and the settings of the reward.

    Raises:
        ConfigError: if observers of neighbourhoods cannot pay this reward.
    """
    lineups, rng, mirror = lots
    batch, time, agents = record.mask.shape
    if lineups.distance is not None:
        check_mirror(mirror)
    observers = None
    seen = lineups.seen  # (B, J, N)
    if mirror.observers_per_author and mirror.credit == "author":
        observers = rng.choice(agents, size=min(mirror.observers_per_author, agents), replace=False)
        seen = seen[:, observers]
    if mirror.control == "limit":
        belief = limit_author_log_belief(population, record)
        belief = np.broadcast_to(belief, (batch, time, seen.shape[1], agents))
    else:
        belief = author_log_belief(population, record, lineups, observers)  # (B, T, J, N)
    window = None
    if mirror.timing == "window":
        lengths = np.maximum(record.mask.any(2).sum(1), 1)  # (B,)
        window = random_windows(rng, lengths, mirror.window or max(1, time // 4))  # (B, 2)
    return mirror_reward(
        belief,
        record.mask,
        credit=mirror.credit,
        timing=mirror.timing,
        floor=mirror.floor,
        teams=mirror.teams,
        window=window,
        seen=seen,
    )


def _apply_controls(
    paid: Floats32, mask: NDArray[np.bool_], mirror: MirrorSettings, rng: np.random.Generator
) -> Floats32:
    """What is paid in the end: noise of the same variance where that is the control.

    Raises:
        TrainingError: if a reward is not finite.
    """
    if mirror.control == "random_reward":
        noise = rng.standard_normal(paid.shape) * (paid[mask].std() if mask.any() else 0.0)
        paid = np.where(mask, noise, 0.0).astype(np.float32)
    if wrong := int((~np.isfinite(paid)).sum()):
        raise TrainingError(f"the {mirror.reward} reward holds {wrong} values that are not finite")
    return paid


def combine_advantages(columns: Columns, weight: float) -> Floats32:
    """Environment plus weighted mirror advantage, standardised for each agent: (B, T, N) float32.

    Raises:
        TrainingError: if an advantage is not finite (a world paid NaN or infinity).
    """
    total = columns["environment_advantage"] + np.float32(weight) * columns["mirror_advantage"]
    if not np.isfinite(total).all():
        agent = int(np.argwhere(~np.isfinite(total))[0][2])
        raise TrainingError(
            f"the advantage of agent {agent} is not finite: does its world pay NaN or infinity?"
        )
    live = columns["mask"] > 0
    count = np.maximum(live.sum((0, 1)), 1)  # (N,)
    mean = total.sum((0, 1), where=live) / count
    variance = (np.square(total - mean)).sum((0, 1), where=live) / count
    return np.where(live, (total - mean) / np.sqrt(variance + math.ulp(1.0) + 1e-8), 0.0).astype(
        np.float32
    )
