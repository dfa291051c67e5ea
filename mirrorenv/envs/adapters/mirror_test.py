"""Recognition as part of the game: any PettingZoo environment, and then its lineup.

Shape legend: T time (steps at most), J observers, K lineup slots, N agents (J = K = N), D numbers
in an observation, A in an action.
"""

from __future__ import annotations

import copy
from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from mirrorenv.envs.adapters.mirror_test_payment import Payment
from mirrorenv.envs.adapters.mirror_test_record import EpisodeRecord, Show
from mirrorenv.envs.adapters.mirror_test_view import ACTING, RECOGNISING, WAITING, AgentView
from mirrorenv.envs.adapters.third_party_facts import horizon as horizon_of
from mirrorenv.envs.adapters.third_party_facts import one_copy, turns_of
from mirrorenv.envs.base import AgentId
from mirrorenv.envs.random import fresh_seed
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror import lineup_permutations
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.belief import Decode
from mirrorenv.mirror.recognition import EVIDENCE_BOUND, RecognitionScore, bounded_evidence

__all__ = ["ACTING", "EVIDENCE_BOUND", "RECOGNISING", "WAITING", "MirrorTest"]

Answer = tuple[
    dict[AgentId, Any],
    dict[AgentId, float],
    dict[AgentId, bool],
    dict[AgentId, bool],
    dict[AgentId, dict[str, Any]],
]


class MirrorTest(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """Any PettingZoo environment, with one more step: who did which?

    After the last step of the environment, every agent is shown its own shuffled lineup of the
    episode and answers with evidence, which a proper score pays. Spaces are the same in all steps:

    ================================  ===================  =========================================
    observation                       shape, dtype         what
    ================================  ===================  =========================================
    `observation`                     the environment's    what the agent sees; a Box as it is,
                                                           anything else flattened to float32; zeros
                                                           (clipped into the space) when not acting
    `phase`                           Discrete(3)          0 acting, 1 waiting (out of the game), 2
                                                           recognising
    `lineup_observations`             (K, T, D) float32    zeros until the recognition phase
    `lineup_actions`                  (K, T, A) float32    the same; choices one-hot
    `lineup_mask`                     (K, T) float32       1 for the steps that slot's author was
                                                           alive
    ================================  ===================  =========================================

    ================================  ===================  =========================================
    action                            shape, dtype         what
    ================================  ===================  =========================================
    `act`                             the environment's    ignored unless acting
    `evidence`                        (K, N) float32       -10 to 10 nats, slot by agent (in the
                                                           order of `possible_agents`), each row
                                                           up to a constant; ignored unless
                                                           recognising
    ================================  ===================  =========================================

    The dictionaries are flat on purpose: Stable-Baselines3 refuses nested ones.

    The last step pays agent i `weight` times the mean worth of its own beliefs (the credit
    `observer`), plus `legibility` times the mean worth of all beliefs about it (the
    credit `author`); see
    :func:`mirrorenv.mirror.recognition_worth`. Both are zero at chance. Only the first depends on
    the agent's own evidence, so legibility does not bend the proper score. `infos` of the last
    step hold the reveal.

    An agent that dies stays and waits: it sees nothing, its actions are ignored, it earns nothing,
    and it recognises with the others. PettingZoo forbids that an agent comes back, and without the
    dead the lineup would have no reader for some columns and RLlib and Stable-Baselines3 agents
    whose episodes end at different steps. So all agents end together, terminated, one step after
    the environment; `infos[agent]["ended"]` says how it ended for each agent.

    Lineups are shuffled by :func:`mirrorenv.mirror.lineup_permutations` from (`run`, seed of the
    episode, observer). `reset(seed)` plays the environment's episode of that seed; without one, a
    seed is drawn from the last given.

    Args:
        env: a `ParallelEnv`, or an `AECEnv` that says it is parallelizable (:meth:`aec` turns
            the result back).
        weight: of one's own recognition, 0 or more.
        legibility: weight of being recognised by all, oneself included.
        score: `log` or `brier`.
        floor: smallest belief that still counts for `log`, in (0, 1/N].
        decode: how evidence is read: `independent` (softmax of each row) or `marginals` (each
            name occurs once).
        horizon: steps at most, T; by default what the environment says (`max_cycles` and the
            like). An episode that is still going on then is cut off.
        show: what lineups show: `both`, `observations` or `actions`.
        pad: accept agents whose spaces differ in size; the zeros at the end then name them.
        run: name or seed of the run, from which lineups are shuffled.

    Raises:
        ConfigError: if an argument is out of range, no horizon is known, or agents differ in size
            without `pad`.
        WorldError: if it is no PettingZoo environment, or a space has no fixed size.
    """

    def __init__(
        self,
        env: Any,
        *,
        weight: float = 1.0,
        legibility: float = 0.0,
        score: RecognitionScore = "log",
        floor: float = 1e-4,
        decode: Decode = "independent",
        horizon: int | None = None,
        show: Show = "both",
        pad: bool = False,
        run: int | str = "mirror-test",
    ) -> None:
        inner_name = str((getattr(env, "metadata", None) or {}).get("name", type(env).__name__))
        self.name = f"MirrorTest({inner_name})"
        self.env = one_copy(lambda: env, {}, inner_name)
        if turns_of(self.env) is not None:
            raise WorldError(
                f"{self.name}: a game of turns, in which lineups would show moves that had no "
                "effect. What works: its parallel_env; if no one needs to see what others do "
                "within a round, metadata['is_parallelizable'] = True; or mirrorenv's own trainer, "
                "where who waits has no choice"
            )
        self.possible_agents: list[AgentId] = list(self.env.possible_agents)
        count = len(self.possible_agents)
        if count < 2:
            raise ConfigError(f"{self.name}: one agent alone cannot be mistaken for another")
        self.payment = Payment(float(weight), float(legibility), score, float(floor), decode)
        self.payment.check(count, self.name)
        self.run = run
        self.horizon = horizon_of(self.env, {}, horizon, inner_name)
        self.max_cycles = self.horizon + 1
        self.agents: list[AgentId] = []
        self.metadata = {
            **(getattr(self.env, "metadata", None) or {}),
            "name": self.name,
            "is_parallelizable": True,
        }
        self.render_mode = getattr(self.env, "render_mode", None)
        self._set_spaces(show, pad)
        self._generator = np.random.default_rng(fresh_seed())
        self._seed = 0
        self._clock = 0
        self._recognising = False
        self._seen: dict[AgentId, Any] = {}  # what the living saw last
        self._ended: dict[AgentId, str] = {}

    def _set_spaces(self, show: Show, pad: bool) -> None:
        agents = self.possible_agents
        seen = [copy.deepcopy(self.env.observation_space(agent)) for agent in agents]
        done = [copy.deepcopy(self.env.action_space(agent)) for agent in agents]
        self._record = EpisodeRecord(
            seen, done, horizon=self.horizon, show=show, pad=pad, name=self.name
        )
        self._views = {
            agent: AgentView(
                sight,
                acts,
                lineup_spaces=self._record.spaces,
                agents=len(agents),
                where=f"{self.name}, agent '{agent}'",
            )
            for agent, sight, acts in zip(agents, seen, done, strict=True)
        }
        self.observation_spaces = {a: view.observation_space for a, view in self._views.items()}
        self.action_spaces = {agent: view.action_space for agent, view in self._views.items()}

    # -- PettingZoo --------------------------------------------------------------------------------

    def observation_space(self, agent: AgentId) -> spaces.Dict:
        """What `agent` sees, in every step."""
        return self.observation_spaces[agent]

    def action_space(self, agent: AgentId) -> spaces.Dict:
        """What `agent` answers, in every step."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[AgentId, Any], dict[AgentId, dict[str, Any]]]:
        """Start an episode.

        Args:
            seed: handed to the environment; None draws one, which follows from the last seed given.
            options: handed to the environment.

        Raises:
            WorldError: if an agent is missing at the start: it would have no trajectory to be
                recognised by.
        """
        if seed is not None:
            self._generator = np.random.default_rng(seed)
        self._seed = int(self._generator.integers(2**31)) if seed is None else int(seed)
        self._seen, infos = self.env.reset(seed=self._seed, options=options)
        absent = [agent for agent in self.possible_agents if agent not in self._seen]
        if absent:
            raise WorldError(
                f"{self.name}: agents {absent} are not there after reset(); all must be, to be "
                "recognised"
            )
        self.agents = list(self.possible_agents)
        self._clock = 0
        self._recognising = False
        self._ended = {}
        self._record.clear()
        return {agent: self._observation(agent) for agent in self.agents}, self._infos(infos)

    def step(self, actions: dict[AgentId, Any]) -> Answer:
        """Let the living act; or, in the recognition phase, let all agents answer and pay.

        Args:
            actions: for every agent `{"act": ..., "evidence": (K, N)}`.

        Raises:
            WorldError: if the episode is over, an agent's action is missing or malformed, an
                observation, reward or flag is missing, or an agent joins late or comes back; it
                names agent and step.
        """
        if not self.agents:
            raise WorldError(f"{self.name}: the episode is over, call reset() before step()")
        if actions.keys() != set(self.agents):
            missing = set(self.agents) - actions.keys()
            extra = actions.keys() - set(self.agents)
            raise WorldError(
                f"{self.name}: one action for each agent, missing {missing}, unknown {extra}"
            )
        return self._reveal(actions) if self._recognising else self._play(actions)

    def render(self) -> Any:
        """What the environment draws."""
        return self.env.render()

    def state(self) -> Any:
        """The environment's own global state."""
        return self.env.state()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    @property
    def unwrapped(self) -> Any:
        """The environment below all wrappers."""
        return getattr(self.env, "unwrapped", self.env)

    @property
    def without_recognition(self) -> Any:
        """The environment by itself; what our own trainer plays, whose observers read lineups
        without this wrapper."""
        return self.env

    def aec(self) -> AECEnv:
        """The same game turn by turn, by PettingZoo's conversion."""
        return parallel_to_aec(self)

    # -- playing -----------------------------------------------------------------------------------

    def _play(self, actions: dict[AgentId, Any]) -> Answer:
        living = [agent for agent in self.possible_agents if agent not in self._ended]
        joint = {agent: self._part(actions, agent, "act") for agent in living}
        for agent, act in joint.items():
            self._write_down(agent, act)
        seen, paid, over, late, infos = self.env.step(joint)
        self._clock += 1
        for agent in living:
            self._note_end(agent, seen, paid, over, late)
        for agent in self.env.agents:
            if agent not in living or agent in self._ended:
                self._fail(
                    "joined late, came back, or continues after its end; a lineup needs whole "
                    "trajectories",
                    agent,
                )
        self._seen = {agent: seen[agent] for agent in living if agent not in self._ended}
        self._recognising = not self._seen or self._clock >= self.horizon
        if self._recognising:
            self._ended |= dict.fromkeys(self._seen, "truncated")
        return (
            {agent: self._observation(agent) for agent in self.agents},
            {agent: float(paid[agent]) if agent in joint else 0.0 for agent in self.agents},
            dict.fromkeys(self.agents, False),
            dict.fromkeys(self.agents, False),
            self._infos(infos),
        )

    def _write_down(self, agent: AgentId, act: Any) -> None:
        """Keep what an agent saw and then did."""
        index = self.possible_agents.index(agent)
        try:
            self._record.write(self._clock, index, self._seen[agent], act)
        except (ValueError, TypeError, IndexError) as error:
            self._fail(f"observation or action does not fit its space: {error}", agent, error)

    def _note_end(self, agent: AgentId, seen: Any, paid: Any, over: Any, late: Any) -> None:
        """Whether and how an agent's episode ended; refuses an answer that lacks a part."""
        parts = {"reward": paid, "termination flag": over, "truncation flag": late}
        for what, part in parts.items():
            if agent not in part:
                self._fail(f"has no {what}", agent)
        if over[agent] or late[agent]:
            self._ended[agent] = "terminated" if over[agent] else "truncated"
        elif agent not in seen:
            self._fail("has no observation", agent)

    def _observation(self, agent: AgentId) -> dict[str, Any]:
        lineup = self._record.nothing()
        if self._recognising:
            lineup = self._record.lineup(self._permutation(self.possible_agents.index(agent)))
        view = self._views[agent]
        phase = self._phase(agent)
        shown = view.blank()
        if phase == ACTING:
            try:
                shown = view.read(self._seen[agent])
            except (ValueError, TypeError) as error:
                self._fail(f"the observation does not fit its space: {error}", agent, error)
        return {"observation": shown, "phase": np.int64(phase), **lineup}

    def _phase(self, agent: AgentId) -> int:
        if self._recognising:
            return RECOGNISING
        return WAITING if agent in self._ended else ACTING

    def _infos(self, infos: dict[AgentId, Any]) -> dict[AgentId, dict[str, Any]]:
        """The environment's, and how it ended. Its seed is withheld until the reveal: the order
        follows from it."""
        ours = {}
        for agent in self.agents:
            ours[agent] = {
                name: value for name, value in (infos.get(agent) or {}).items() if name != "seed"
            }
            if agent in self._ended:
                ours[agent]["ended"] = self._ended[agent]
        return ours

    # -- recognising -------------------------------------------------------------------------------

    def _permutation(self, observer: int) -> Ints64:
        """(K,) who made which slot of this observer's lineup."""
        count = len(self.possible_agents)
        order: Ints64 = lineup_permutations(self.run, [self._seed], observer, count)[0]
        return order

    def _reveal(self, actions: dict[AgentId, Any]) -> Answer:
        agents = self.agents
        evidence = np.stack([self._evidence(actions, agent) for agent in agents])  # (J, K, N)
        truth = np.stack([self._permutation(observer) for observer in range(len(agents))])  # (J, K)
        found = self.payment.reveal(evidence, truth)
        self._recognising = False
        last = {a: {**self._observation(a), "phase": np.int64(RECOGNISING)} for a in agents}
        infos = {
            agent: {"seed": self._seed, "ended": self._ended[agent], "mirror": about}
            for agent, about in zip(agents, found.about, strict=True)
        }
        self.agents = []
        return (
            last,
            dict(zip(agents, found.paid.tolist(), strict=True)),
            dict.fromkeys(agents, True),
            dict.fromkeys(agents, False),
            infos,
        )

    def _evidence(self, actions: dict[AgentId, Any], agent: AgentId) -> Floats64:
        """(K, N), checked."""
        try:
            return bounded_evidence(
                self._part(actions, agent, "evidence"), len(self.possible_agents)
            )
        except ShapeError as error:
            self._fail(str(error), agent, error)

    def _part(self, actions: dict[AgentId, Any], agent: AgentId, part: str) -> Any:
        try:
            return actions[agent][part]
        except (KeyError, IndexError, TypeError) as error:
            self._fail("the action must be a dictionary with 'act' and 'evidence'", agent, error)

    def _fail(self, problem: str, agent: AgentId, cause: Exception | None = None) -> NoReturn:
        where = f"{self.name}, seed {self._seed}, step {self._clock}, agent '{agent}'"
        raise WorldError(f"{where}: {problem}") from cause
