"""One-step games that can be solved: their payoffs read from the world, exact gradients, exact
optima.

Agents have tabular softmax policies. Agent i is paid R_i + weight * M_i with the world's own reward
R_i and the mirror reward M_i = log N + log q(i | a_i), where q is the exact observer's belief, the
posterior of the known policies. Its gradient takes the belief as given, as a learner does (`E grad
log q` vanishes for the exact belief).

Every policy is kept as logarithms and time may be rescaled, so that the orbit of the gradient can
be followed through probabilities far below what a fixed step could leave again.

Shape legend: ... any leading axes (seeds, weights), N agents, K actions, P joint actions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorenv.envs import make_batch
from mirrorenv.envs.random import BatchRandom
from mirrorenv.mirror import Belief, mirror_reward
from mirrorenv.mirror.belief import log_softmax

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Game:
    """A one-step game among N alike agents, as the world pays it.

    Args:
        world: registered id.
        num_agents: N.
        num_actions: K.
        payoff: (K, K) what an agent earns that plays the row while all others play the column. With
            mixed company it earns the mean over the others, which :func:`read_game` checks.
        critical_weight: what the world's documentation predicts.
    """

    world: str
    num_agents: int
    num_actions: int
    payoff: Floats
    critical_weight: float


def read_game(world: str, num_agents: int, num_actions: int) -> Game:
    """Read the payoffs off the world by playing it, and check that they describe it.

    Raises:
        ValueError: if the world's reward is not the mean over the others, or differs between
            agents.
    """
    own, others = np.divmod(np.arange(num_actions**2), num_actions)  # (K*K,)
    actions = np.repeat(others[:, None], num_agents, axis=1)  # (K*K, N)
    actions[:, 0] = own
    payoff = (
        play(world, actions, num_actions)[:, 0].reshape(num_actions, num_actions).astype(np.float64)
    )
    probe = np.random.default_rng(0).integers(num_actions, size=(512, num_agents))  # (P, N)
    told = np.broadcast_to(
        payoff[probe[:, :, None], probe[:, None, :]], (512, num_agents, num_agents)
    )
    mean = (told.sum(axis=2) - told.diagonal(axis1=1, axis2=2)) / (num_agents - 1)  # (P, N)
    if not np.allclose(play(world, probe, num_actions), mean, atol=1e-6):
        raise ValueError(f"{world}: the reward is not a mean over the other agents")
    arguments = {"num_agents": num_agents, "num_actions": num_actions}
    critical = float(make_batch(world, 1, **arguments).critical_weight)  # type: ignore[attr-defined]
    return Game(world, num_agents, num_actions, payoff, critical)


def play(world: str, actions: Ints, num_actions: int) -> npt.NDArray[np.float32]:
    """(P, N) rewards of P joint actions (P, N), each played once."""
    rows, agents = actions.shape
    batch = make_batch(world, rows, num_agents=agents, num_actions=num_actions)
    batch.reset(np.zeros(rows, np.int64))
    return batch.step(actions).rewards


def exact_log_belief(log_policy: Floats) -> Floats:
    """(..., N, K) log q(i | a): the posterior that agent i, of all agents alike, made action a."""
    return np.swapaxes(Belief(np.swapaxes(log_policy, -1, -2)).log_belief(), -1, -2)


def information(log_policy: Floats) -> Floats:
    """(...) nats that one action holds about its author, from policies (..., N, K)."""
    agents = log_policy.shape[-2]
    surprise = np.exp(log_policy) * exact_log_belief(log_policy)  # (..., N, K)
    return np.asarray(math.log(agents) + surprise.sum(axis=(-1, -2)) / agents)


def have_parted(log_policy: Floats) -> npt.NDArray[np.bool_]:
    """(...) whether agents are no longer alike: above half of the nats that one deviant among N
    would give.

    One deviant is the least informative of all deterministic joint policies that are not all alike.
    """
    agents = log_policy.shape[-2]
    one_deviant = math.log(agents) - (agents - 1) / agents * math.log(agents - 1)
    return np.asarray(information(log_policy) > 0.5 * one_deviant)


def returns(log_policy: Floats, game: Game, weight: Floats | float) -> Floats:
    """(..., N) what each agent is paid in expectation: reward plus weight times the exact mirror
    reward."""
    policy = np.exp(log_policy)
    company = (policy.sum(axis=-2, keepdims=True) - policy) / (game.num_agents - 1)  # (..., N, K)
    # (..., N)
    mirror = (policy * (math.log(game.num_agents) + exact_log_belief(log_policy))).sum(axis=-1)
    return np.asarray(
        (policy * (company @ game.payoff.T)).sum(axis=-1) + np.asarray(weight)[..., None] * mirror
    )


def advantages(log_policy: Floats, game: Game, weight: Floats | float) -> Floats:
    """(..., N, K) what each action of each agent is worth above its policy's mean: its own natural
    gradient."""
    return _advantages(np.exp(log_policy), exact_log_belief(log_policy), game, weight)


def _advantages(policy: Floats, log_belief: Floats, game: Game, weight: Floats | float) -> Floats:
    company = (policy.sum(axis=-2, keepdims=True) - policy) / (game.num_agents - 1)  # (..., N, K)
    worth = company @ game.payoff.T + np.asarray(weight)[..., None, None] * log_belief
    return np.asarray(worth - (policy * worth).sum(axis=-1, keepdims=True))


def climb(logits: Floats, game: Game, weight: Floats | float, *, steps: int, rate: float) -> Floats:
    """Ascend with plain softmax gradients of a fixed rate: (..., N, K) logits to (..., N, K) log
    policies."""
    for _ in range(steps):
        log_policy = log_softmax(logits)
        logits = logits + rate * np.exp(log_policy) * advantages(log_policy, game, weight)
    return log_softmax(logits)


def follow(
    logits: Floats,
    game: Game,
    weight: Floats | float,
    *,
    steps: int,
    step: float = 0.2,
    natural: bool = False,
    depth: float = 300.0,
) -> Floats:
    """Follow the gradient's orbit to its end, in rescaled time: (..., N, K) logits to (..., N, K)
    log policies.

    A step moves the fastest logit by `step` times min(1, the largest logit), the same dt for all
    agents of a game, so that the path is the gradient flow's own and only its clock differs: starts
    of any size grow by a share per step, and gradients that softmax has made vanish are waited for.
    Losers that nobody can see any more (below a millionth of their action's users, and falling) do
    not slow the clock, and rest `depth` nats below the best action.

    Args:
        logits: (..., N, K) start.
        game: who is paid for what.
        weight: (...) mirror weight.
        steps: how many steps.
        step: nats.
        natural: the natural gradient (replicator dynamics), in which no action's probability slows
            its learning.
        depth: nats.
    """
    for _ in range(steps):
        logits = logits - logits.max(axis=-1, keepdims=True)
        log_policy = log_softmax(logits)
        policy = np.exp(log_policy)
        log_belief = exact_log_belief(log_policy)
        move = _advantages(policy, log_belief, game, weight)  # (..., N, K)
        if not natural:
            move *= policy
        unseen = (move < 0) & (log_belief < math.log(1e-6))
        speed = np.where(unseen, 0.0, np.abs(move)).max(axis=(-1, -2), keepdims=True)
        size = np.abs(logits - logits.mean(axis=-1, keepdims=True)).max(
            axis=(-1, -2), keepdims=True
        )
        pace = step * np.minimum(1.0, size) / np.maximum(speed, 1e-300)
        logits = np.maximum(logits + pace * move, -depth)
    return log_softmax(logits)


def starts(
    seeds: Ints, num_agents: int, num_actions: int, scale: float, lead: float = 0.0
) -> Floats:
    """(S, N, K) normal logits of one scale; `lead` nats more for action 0 make a crowd that has
    settled on it."""
    logits = scale * BatchRandom(seeds, stream="critical weight start").normal(
        (num_agents, num_actions)
    )
    logits[..., 0] += lead
    return logits


def thresholds(
    leaves: Callable[[Floats], npt.NDArray[np.bool_]], low: Floats, high: Floats, halvings: int
) -> Floats:
    """(S,) the weight at which each seed changes its mind, by bisection of log weights.

    Args:
        leaves: (S,) weights to (S,) whether the seed's agents part.
        low: (S,) weights; a seed that parts already there is reported at it.
        high: (S,) weights; a seed that still does not part there is reported at it.
        halvings: how often the bracket is halved.
    """
    for _ in range(halvings):
        middle = np.sqrt(low * high)
        parted = leaves(middle)
        low = np.where(parted, low, middle)
        high = np.where(parted, middle, high)
    return np.asarray(np.sqrt(low * high))


def joint_actions(game: Game) -> tuple[Ints, Floats, Floats]:
    """All deterministic joint policies, played in the world and judged by the exact observer.

    The total payoff is linear in every agent's policy in its rewards and convex in its information,
    so that one of these is the best joint policy of all.

    Returns:
        (P, N) joint actions, (P, N) rewards, (P, N) mirror rewards.
    """
    every = itertools.product(range(game.num_actions), repeat=game.num_agents)
    actions = np.array(list(every), dtype=np.int64)  # (P, N)
    alike = actions[:, :, None] == actions[:, None, :]  # (P, slots, agents)
    log_belief = Belief(np.where(alike, 0.0, -np.inf)).log_belief()
    true_author = log_belief.diagonal(axis1=1, axis2=2)[:, None, None]  # (P, T=1, J=1, N)
    mirror = mirror_reward(true_author, np.ones((len(actions), 1, game.num_agents), np.bool_))[:, 0]
    rewards = play(game.world, actions, game.num_actions)
    return actions, rewards.astype(np.float64), mirror.astype(np.float64)


def optimum_switch(game: Game, share: float = 1.0) -> float:
    """The weight at which parting first beats being alike in `share * sum R + weight * sum M`,
    over all policies.

    Share 1 is the total payoff. The value is the smallest ratio of reward given up to information
    gained.
    """
    _, rewards, mirror = joint_actions(game)
    # (P,)
    total = share * rewards.sum(axis=1)
    known = mirror.sum(axis=1)
    together = total[known < 1e-6].max()
    apart = known > 1e-6
    return float(((together - total[apart]) / known[apart]).min())


def deviation_switch(game: Game, grid: int = 400) -> float:
    """The weight from which one agent gains by leaving a crowd on action 0, over a grid of its
    mixed policies.

    The observer knows the deviant's policy too. The gain is compared per policy: reward given up
    over mirror reward gained.
    """
    amount = np.linspace(0.0, 1.0, grid + 1)[1:]  # probability of leaving
    policy = np.zeros((grid, game.num_agents, game.num_actions))
    policy[..., 0] = 1.0
    policy[:, 0, 0] = 1.0 - amount
    policy[:, 0, 1] = amount
    with np.errstate(divide="ignore"):
        log_policy = np.maximum(np.log(policy), -700.0)
    given_up = game.payoff[0, 0] - returns(log_policy, game, 0.0)[:, 0]
    gained = returns(log_policy, game, 1.0)[:, 0] - returns(log_policy, game, 0.0)[:, 0]
    return float((given_up / gained).min())


def capacity(num_agents: int, num_actions: int) -> float:
    """Nats that one of K actions can hold about its author among N: log N if N <= K, else the
    balanced partition's."""
    small, larger = divmod(num_agents, num_actions)
    sizes = [small + 1] * larger + [small] * (num_actions - larger)
    return sum(size / num_agents * math.log(num_agents / size) for size in sizes if size)
