"""The live mirror as a game: any PettingZoo environment, watched in images while it is played.

Shape legend: K images, A moves, D numbers in an observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.instrument.live.images import CONTINGENT, YOKED, Distortion
from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64

__all__ = ["CONFIDENCE", "LiveMirror"]

CONFIDENCE = 11
"""Steps of confidence that an agent gives each image, 0 to 10."""

AgentId = Any
Answer = tuple[
    dict[AgentId, Floats32],
    dict[AgentId, float],
    dict[AgentId, bool],
    dict[AgentId, bool],
    dict[AgentId, dict[str, Any]],
]


class LiveMirror(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """Any PettingZoo environment of agents that choose among moves; beside playing it, each agent
    watches moving images and says which one it moves itself.

    One image shows the agent's own moves, d steps late; one is yoked, its own moves of its last
    episode (drawn by lot in its first); one for each other agent shows what that one does. Each
    shows a move drawn by lot with probability e. The images stand in an order that is drawn for
    every agent and episode.

    ============  =====================================  ===========================================
    part          space                                  what
    ============  =====================================  ===========================================
    observation   Box, D + A + K * A float32             what the environment shows, flattened; the
                                                         agent's own last move, one-hot; the last
                                                         move in each image, one-hot; zeros before
                                                         the first step
    action        MultiDiscrete, A and K times 11        a move, and 0 to 10 of confidence in each
                                                         image
    ============  =====================================  ===========================================

    A belief is the confidences divided by their sum, or even if all are 0. It is paid `weight`
    times Brier's score over that of an even belief, `1 - 1/K - sum_k (p_k - [k is mine])^2`
    (Brier 1950): 0 at chance, 1 - 1/K at most; at an agent's last step, or as a mean over all.
    `infos` of the last step hold the image that was contingent, and the belief.

    Args:
        env: a `ParallelEnv` whose agents' actions are all `Discrete` of one size and whose
            observations can be flattened.
        delay: d, steps.
        noise: e, in [0, 1].
        weight: of the pay for recognition, beside the environment's.
        when: is paid for: `end` or `always`.

    Raises:
        ConfigError: if an argument is out of range.
        WorldError: if it is no such environment, or an agent joins late.
    """

    metadata: dict[str, Any] = {"name": "live_mirror", "is_parallelizable": True}  # noqa: RUF012

    def __init__(
        self,
        env: Any,
        *,
        delay: int = 0,
        noise: float = 0.0,
        weight: float = 1.0,
        when: Literal["end", "always"] = "end",
    ) -> None:
        if when not in ("end", "always"):
            raise ConfigError(f"LiveMirror: when must be 'end' or 'always', got {when!r}")
        if weight < 0:
            raise ConfigError(f"LiveMirror: weight must be 0 or more, got {weight}")
        self.env = env
        self.weight = weight
        self.when = when
        self.possible_agents: list[AgentId] = list(env.possible_agents)
        self.agents: list[AgentId] = []
        self.render_mode = getattr(env, "render_mode", None)
        self.distortion = Distortion(delay, noise, self._moves())
        self.images = len(self.possible_agents) + 1
        self._flat = {agent: env.observation_space(agent) for agent in self.possible_agents}
        self._seen = {agent: self._box(agent) for agent in self.possible_agents}
        acts = [self.distortion.moves, *[CONFIDENCE] * self.images]
        self._acts = {agent: spaces.MultiDiscrete(acts) for agent in self.possible_agents}
        self._rng = np.random.default_rng()
        self._done: dict[AgentId, list[int]] = {}
        self._last: dict[AgentId, list[int]] = {}
        self._order: dict[AgentId, Ints64] = {}
        self._worth: dict[AgentId, list[float]] = {}

    def _moves(self) -> int:
        sizes = set()
        for agent in self.possible_agents:
            space = self.env.action_space(agent)
            if not isinstance(space, spaces.Discrete) or space.start != 0:
                raise WorldError(f"LiveMirror: {agent} must choose among moves, not act in {space}")
            sizes.add(int(space.n))
        if len(sizes) != 1:
            raise WorldError(f"LiveMirror: agents must have the same moves; they have {sizes}")
        return sizes.pop()

    def _box(self, agent: AgentId) -> spaces.Box:
        inner = spaces.flatten_space(self._flat[agent])
        if not isinstance(inner, spaces.Box):
            raise WorldError(f"LiveMirror: what {agent} sees cannot be flattened: {inner}")
        moves = self.distortion.moves * (1 + self.images)
        low = np.concatenate([inner.low.reshape(-1), np.zeros(moves)]).astype(np.float32)
        high = np.concatenate([inner.high.reshape(-1), np.ones(moves)]).astype(np.float32)
        return spaces.Box(low, high)

    def observation_space(self, agent: AgentId) -> spaces.Box:
        """What an agent sees: (D + A + K * A,) float32."""
        return self._seen[agent]

    def action_space(self, agent: AgentId) -> spaces.MultiDiscrete:
        """What an agent does: a move, and confidence in each image."""
        return self._acts[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[AgentId, Floats32], dict[AgentId, dict[str, Any]]]:
        """Begin an episode; a seed decides the order of the images and what is drawn by lot."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        seen, infos = self.env.reset(seed=seed, options=options)
        self.agents = list(self.env.agents)
        self._last.update({agent: moves for agent, moves in self._done.items() if moves})
        self._done = {agent: [] for agent in self.possible_agents}
        self._worth = {agent: [] for agent in self.possible_agents}
        self._order = {agent: self._rng.permutation(self.images) for agent in self.possible_agents}
        empty = np.zeros(self.distortion.moves * (1 + self.images), np.float32)
        return {agent: self._joined(agent, seen[agent], empty) for agent in seen}, infos

    def step(self, actions: Mapping[AgentId, Any]) -> Answer:
        """Play one step of the environment and of all images."""
        chosen = {agent: np.asarray(actions[agent]) for agent in self.agents}
        moves = {agent: int(one[0]) for agent, one in chosen.items()}
        seen, rewards, terminated, truncated, infos = self.env.step(moves)
        late = sorted(map(str, set(self.env.agents) - set(chosen)))
        if late:
            raise WorldError(
                f"LiveMirror: {', '.join(late)} joined late, and was not watched so far"
            )
        for agent in self.possible_agents:
            lot = int(self._rng.integers(self.distortion.moves))
            self._done[agent].append(moves.get(agent, lot))  # who is out moves by lot
        answers: dict[AgentId, Floats32] = {}
        paid: dict[AgentId, float] = {}
        for agent in chosen:
            answers[agent] = self._joined(agent, seen[agent], self._watched(agent))
            ended = bool(terminated[agent] or truncated[agent])
            belief = _belief(chosen[agent][1:])
            paid[agent] = float(rewards[agent]) + self._pay(agent, belief, ended)
            if ended:
                mine = int(np.flatnonzero(self._order[agent] == CONTINGENT)[0])
                told = {"contingent": mine, "belief": belief}
                infos = {**infos, agent: {**infos.get(agent, {}), **told}}
        self.agents = list(self.env.agents)
        return answers, paid, dict(terminated), dict(truncated), dict(infos)

    def _watched(self, agent: AgentId) -> Floats32:
        """(A + K * A,) one-hot: the agent's own last move, and the last move of each image."""
        time = len(self._done[agent]) - 1
        source = time - self.distortion.delay
        others = [one for one in self.possible_agents if one != agent]
        shown = self._rng.integers(self.distortion.moves, size=self.images)  # by lot
        kept = self._rng.random(self.images) >= self.distortion.noise
        if source >= 0:
            moves = np.zeros(self.images, np.int64)
            moves[CONTINGENT] = self._done[agent][source]
            before = self._last.get(agent, [])
            moves[YOKED] = before[source] if source < len(before) else shown[YOKED]
            for place, other in enumerate(others, start=YOKED + 1):
                moves[place] = self._done[other][source]
            shown = np.where(kept, moves, shown)
        lines = np.eye(self.distortion.moves, dtype=np.float32)
        own = lines[self._done[agent][time]]
        return np.concatenate([own, lines[shown[self._order[agent]]].reshape(-1)])

    def _joined(self, agent: AgentId, seen: Any, watched: Floats32) -> Floats32:
        flat = np.asarray(spaces.flatten(self._flat[agent], seen), np.float32).reshape(-1)
        return np.concatenate([flat, watched])

    def _pay(self, agent: AgentId, belief: Floats64, ended: bool) -> float:
        truth = (self._order[agent] == CONTINGENT).astype(np.float64)
        worth = 1.0 - 1.0 / self.images - float(np.square(belief - truth).sum())
        self._worth[agent].append(worth)
        if not ended:
            return 0.0
        return self.weight * (worth if self.when == "end" else float(np.mean(self._worth[agent])))

    def render(self) -> Any:
        """The environment's picture."""
        return self.env.render()

    def state(self) -> Any:
        """The environment's state."""
        return self.env.state()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def _belief(confidence: Ints64) -> Floats64:
    total = confidence.sum()
    if not total:
        return np.full(len(confidence), 1.0 / len(confidence))
    return np.asarray(confidence / total, np.float64)
