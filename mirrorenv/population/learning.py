"""What a population is to learn from: its objectives, from the settings of a run.

Called once by whoever trains: the RLlib module, the bare loop, the Stable-Baselines3 callback.
"""

from __future__ import annotations

import logging

import torch

from mirrorenv.population.objectives.base import Objective, build_objective
from mirrorenv.population.objectives.ppo import PPO
from mirrorenv.population.objectives.recognition import Recognition
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, MirrorSettings

__all__ = ["set_objectives"]

logger = logging.getLogger(__name__)


def set_objectives(
    population: Population,
    mirror: MirrorSettings | None,
    learning: LearningSettings,
    *,
    seed: int = 0,
    acts: bool = True,
) -> None:
    """Give a population its objectives: the policy gradient, the names, the reward that is paid,
    what its actors bring along, and its auxiliaries.

    What is not paid trains nothing but itself: the mirror critic and the observers then read
    detached hidden states.

    Args:
        population: changed in place.
        mirror: what is paid; None has no observer learn and pays nothing.
        learning: how actors learn.
        seed: of a reward model's initial weights, and of the objectives' random choices.
        acts: whether the population's actors learn; not where somebody else acts.

    Raises:
        UnknownNameError: if no reward of that name is registered.
    """
    paid = mirror is not None and mirror.paid
    population.actor.mirror_paid = paid
    population.fast = learning.update == "fast"
    population.actor.fast = population.observers.fast = population.fast
    if population.fast:
        _name_what_stays_plain(population, acts)
    population.paying = ""
    population.observers_paid = False
    objectives: dict[str, Objective] = {"ppo": PPO(population, learning)} if acts else {}
    if mirror is not None:
        recognition = Recognition(population, learning.grad_norm)
        objectives[recognition.label] = recognition
        reward = _reward(population, recognition, mirror.reward, learning, seed)
        objectives[reward.label] = reward
        population.paying = reward.label
        population.observers_paid = paid and reward is recognition
    if acts:
        objectives |= population.actor.objectives()
    population.objectives = objectives | dict(population.named_auxiliaries())
    population.reseed(seed)


def _reward(
    population: Population,
    recognition: Recognition,
    name: str,
    learning: LearningSettings,
    seed: int,
) -> Objective:
    """The objective that pays: the observers', the auxiliary of this name, or one of its own."""
    if recognition.settings.name == name:
        return recognition
    for label, auxiliary in population.named_auxiliaries():
        if label == name:
            return auxiliary
    generator = torch.Generator().manual_seed(seed)  # as in every recorded run
    made = build_objective({"name": name}, population.host(), generator=generator)
    made.prefix = ""
    made.grad_norm = learning.grad_norm
    return made


def _name_what_stays_plain(population: Population, acts: bool) -> None:
    settings = population.settings
    plain = [f"actor {settings.actor}"] if acts and not population.actor.fusable else []
    if not population.observers.fusable:
        plain.append(f"head {settings.observer.head}")
    if plain:
        logger.warning(
            "learning.update = fast: no fast arithmetic is known for %s here, which is computed "
            "as in plain",
            " and ".join(plain),
        )
