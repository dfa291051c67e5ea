"""Ways through a directed graph, goal after goal.

Shape legend: B batch, N agents, V nodes, G goals of an episode.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.envs.random import BatchRandom
from mirrorenv.envs.world_spec import register
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Ints64

__all__ = ["Graph", "shortest_lengths"]

_TRIES = 1000


def shortest_lengths(edges: npt.NDArray[np.bool_]) -> Ints64:
    """Lengths of the shortest ways between all nodes of a directed graph, by breadth first.

    Args:
        edges: (V, V) bool, from row to column.

    Returns:
        (V, V) int64 steps, 0 on the diagonal, -1 where there is no way.
    """
    count = len(edges)
    lengths = np.full((count, count), -1, np.int64)
    reached = np.eye(count, dtype=bool)
    front = reached
    for step in range(count):
        lengths[front] = step
        front = (front.astype(np.int64) @ edges > 0) & ~reached
        reached = reached | front
        if not front.any():
            break
    return lengths


class Graph(ClockedWorld):
    """Agents find their way through a directed graph, one goal after another.

    ## Description
    A directed graph of V nodes, in which every edge is there with the same probability
    (G(n, p)), is drawn once and stays. In an episode all agents begin at one node and are given
    the same goals, one after another; who reaches a goal is given the next. Often several ways are
    equally short: which of them an agent takes is its own, and costs nothing.

    The optimum is known: :attr:`lengths` holds the shortest way between any two nodes (breadth
    first), and :meth:`shortest` the fewest steps for the goals of each row. A graph is drawn again
    until every node can be reached from every other.

    ## Agents
    `num_agents` walkers, `walker_0` and so on. Several may stand on one node. A walker that has
    reached its last goal leaves; the others go on.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own node | V | float32 | 0 or 1 | one-hot |
    | own goal | V | float32 | 0 or 1 | one-hot |
    | goals still to come | 1 | float32 | 0 to 1 | share of all |
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    Others are not seen.

    ## Action
    `Discrete(num_nodes)`: the node to go to. Where no edge leads there, the step is a stay.

    ## Reward
    `1 / num_goals` for each goal reached, minus `step_cost` for each step: at most 1 in an
    episode.

    ## Episode end
    For an agent, when it reaches its last goal (terminated). All others are cut off after
    `horizon` steps (truncated).

    ## Arguments
    `num_agents` (4), `num_nodes` (32), `edge_probability` (0.2), `num_goals` (8),
    `horizon` (None: four steps for each goal and eight more), `step_cost` (0.0; 0 or more),
    `tasks` (`"shared"`: all have the same start and goals; `"own"`: each draws its own),
    `graph_seed` (0: of the graph).

    ## What carries identity, what leaks
    The ways that are chosen, and how many wrong steps are made. With shared tasks nothing leaks:
    all see the same until they choose. With own tasks start and goals are drawn independently of
    who an agent is.

    ## Version history
    v0: first version.
    """

    agent_name = "walker"
    on_device = True
    agent_state = ("places", "goals", "reached")

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        num_nodes: int = 32,
        edge_probability: float = 0.2,
        num_goals: int = 8,
        horizon: int | None = None,
        step_cost: float = 0.0,
        tasks: Literal["shared", "own"] = "shared",
        graph_seed: int = 0,
    ) -> None:
        if num_nodes < 2 or num_goals < 1:
            raise ConfigError(
                f"Graph: at least 2 nodes and 1 goal, got {num_nodes} and {num_goals}"
            )
        if not 0 < edge_probability <= 1:
            raise ConfigError(f"Graph: edge_probability lies in (0, 1], got {edge_probability}")
        if step_cost < 0:
            raise ConfigError(f"Graph: step_cost must be 0 or more, got {step_cost}")
        if tasks not in ("shared", "own"):
            raise ConfigError(f"Graph: tasks must be 'shared' or 'own', got {tasks!r}")
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=4 * num_goals + 8 if horizon is None else horizon,
            observation_space=spaces.Box(0.0, 1.0, (2 * num_nodes + 2,)),
            action_space=spaces.Discrete(num_nodes),
        )
        self.num_nodes = int(num_nodes)
        self.num_goals = int(num_goals)
        self.step_cost = float(step_cost)
        self.tasks = tasks
        self.edges = _connected_graph(self.num_nodes, edge_probability, graph_seed)  # (V, V) bool
        self.lengths = shortest_lengths(self.edges)  # (V, V)
        shape = (self.num_envs, self.num_agents)
        self.places = np.zeros(shape, np.int64)  # (B, N) node
        self.goals = np.zeros((*shape, self.num_goals), np.int64)  # (B, N, G) nodes
        self.reached = np.zeros(shape, np.int64)  # (B, N) goals so far
        self._starts = self.places

    def starts(self) -> Ints64:
        """(B, N) the node where each agent began this episode."""
        return self._starts.copy()

    def shortest(self) -> Ints64:
        """(B, N) the fewest steps in which the goals of this episode can be reached."""
        way = np.concatenate([self._starts[..., None], self.goals], axis=2)  # (B, N, G + 1)
        steps: Ints64 = self.lengths[way[..., :-1], way[..., 1:]].sum(axis=2)
        return steps

    def _start(self) -> None:
        xp = self.xp
        draws = 1 if self.tasks == "shared" else self.num_agents
        nodes = [self.random.integers(self.num_nodes, (draws,))]  # (B, draws) each
        for _ in range(self.num_goals):  # never the node where the last goal was
            further = 1 + self.random.integers(self.num_nodes - 1, (draws,))
            nodes.append((nodes[-1] + further) % self.num_nodes)
        way = xp.repeat(xp.stack(nodes, axis=2), self.num_agents // draws, axis=1)  # (B, N, G + 1)
        self.places = way[..., 0]
        self._starts = self.places
        self.goals = way[..., 1:]
        self.reached = xp.zeros(self.places.shape, dtype=xp.int64)

    def _advance(
        self, actions: npt.NDArray[Any], live: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        moving = live[:, None] & (self.reached < self.num_goals)  # (B, N)
        xp = self.xp
        goes = moving & xp.asarray(self.edges)[self.places, actions]
        self.places = xp.where(goes, actions, self.places)
        there = moving & (self.places == self._goal())
        self.reached = self.reached + xp.astype(there, xp.int64)
        cost = self.step_cost * xp.astype(moving, xp.float64)
        rewards = xp.astype(there, xp.float64) / self.num_goals - cost
        return rewards, self.reached == self.num_goals

    def _goal(self) -> Ints64:
        """(B, N) the goal now; the last one for those that are done."""
        index = self.xp.clip(self.reached, 0, self.num_goals - 1)[..., None]
        goal: Ints64 = self.xp.take_along_axis(self.goals, index, axis=2)[..., 0]
        return goal

    def _observe(self) -> Observations:
        xp = self.xp
        nodes = xp.arange(self.num_nodes)
        here = self.places[..., None] == nodes  # (B, N, V)
        goal = self._goal()[..., None] == nodes  # (B, N, V)
        # (B, N, 1)
        left = 1.0 - xp.astype(self.reached, xp.float64)[..., None] / self.num_goals
        parts = [here, goal, left, self._time_left()]
        seen: Observations = xp.astype(xp.concat(parts, axis=2), xp.float32)
        return seen

    @property
    def column_names(self) -> tuple[str, ...]:
        """The meaning of each number of an observation."""
        nodes = range(self.num_nodes)
        at = [f"at node {node}" for node in nodes]
        to = [f"goal is node {node}" for node in nodes]
        return (*at, *to, "goals still to come", "time left")

    def state(self) -> Floats32:
        """(B, 3 N + 1) float32: nodes and goals of all agents over V, goals reached over G, time
        left."""
        parts: list[AnyArray] = [
            self.places / self.num_nodes,
            self._goal() / self.num_nodes,
            self.reached / self.num_goals,
            self._time_left()[:, 0],
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)


def _connected_graph(nodes: int, probability: float, seed: int) -> npt.NDArray[np.bool_]:
    """A directed G(n, p) without loops in which every node can be reached from every other.

    Raises:
        ConfigError: if none was found: the probability is too small for so few nodes.
    """
    draws = BatchRandom([seed], "graph")
    for _ in range(_TRIES):
        edges: Bools = draws.uniform((nodes, nodes))[0] < probability
        np.fill_diagonal(edges, False)
        if (shortest_lengths(edges) >= 0).all():
            return edges
    raise ConfigError(
        f"Graph: no graph of {nodes} nodes with edge_probability {probability} in {_TRIES} tries "
        "lets every node be reached; make the probability larger"
    )


class ShortestPlayers:
    """Everybody takes a shortest way.

    Args:
        world: the world to act in.
        tie: which of several equally good nodes is taken: `"first"` by all, or `"own"`: agent i
            takes the one that comes first from node i V / N on.
    """

    def __init__(self, world: Graph, tie: Literal["first", "own"] = "first") -> None:
        self._world = world
        shift = np.zeros(world.num_agents, np.int64)
        if tie == "own":
            shift = np.arange(world.num_agents) * world.num_nodes // world.num_agents
        self._shift = shift  # (N,)

    def __call__(self, observations: Floats32, t: int) -> Ints64:
        """(B, N) int64 actions."""
        nodes = self._world.num_nodes
        here = observations[..., :nodes].argmax(-1)  # (B, N)
        goal = observations[..., nodes : 2 * nodes].argmax(-1)
        far = self._world.lengths.T[goal]  # (B, N, V) steps from each node to the goal
        cost = np.where(self._world.edges[here], far, nodes + 1)  # (B, N, V)
        order = (np.arange(nodes) - self._shift[:, None]) % nodes  # (N, V)
        chosen: Ints64 = (cost * nodes + order).argmin(-1)
        return chosen


def _own(world: Graph) -> ShortestPlayers:
    return ShortestPlayers(world, "own")


PLAYERS = {"shortest": ShortestPlayers, "own ways": _own}
"""Scripted teams by name: all take the same shortest way, or each its own."""

register(
    "mirrorenv/graph-v0",
    Graph,
    description="Ways through a directed graph from goal to goal: several are equally short, and "
    "which one is taken is one's own.",
    players=f"{__name__}:PLAYERS",
)
