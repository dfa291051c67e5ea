"""The byte world: utterances are executed, remembered and counted.

Shape legend: B rows, N agents, L bytes, k memories, E bytes of chance, W bytes of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.bytes.effects import (
    KERNEL_PARTS,
    Effects,
    Executor,
    MachineExecutor,
    nothing_happened,
)
from mirrorenv.bytes.entropy import byte_counts, decayed_counts
from mirrorenv.bytes.exchange.base import open_exchange
from mirrorenv.bytes.judges import open_judge
from mirrorenv.bytes.judging import Judged, Reliability
from mirrorenv.bytes.machine.execution import ENDINGS
from mirrorenv.bytes.machine.instruction_sets import instruction_set
from mirrorenv.bytes.machine.kernel import CALLS, KernelState, fresh_state
from mirrorenv.bytes.rewards import REWARDS, Happened, checked_weights
from mirrorenv.bytes.settings import SightSettings
from mirrorenv.envs.account import Account
from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32, Floats64

__all__ = ["ByteMeditation"]

_NAMES = tuple(CALLS[number] for number in sorted(CALLS))


class ByteMeditation(ClockedWorld):
    """Agents utter bytes, which are executed on an emulated machine, remembered and counted.

    ## Description
    In every step each of N agents utters L bytes. They are executed as an x86-64 program (or, by
    option, a RISC-V one) by an emulator in a confined child process, on a kernel of the agent's own
    that exists in a dictionary only: files, folders and children that a program makes are there in
    the next step. Nothing is run natively and no call reaches the host. All utterances are
    remembered and found again by likeness, and counted. After "Bytemeditation" (2024), rebuilt from
    its description; what differs, and what is missing, stands in the documentation of bytes.

    ## Agents
    `num_agents` speakers, `byte_0` and so on, all acting in every step.

    ## Observation
    Each part can be switched off; bytes are divided by 255.

    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own last utterance | L | float32 | 0 to 1 | bytes |
    | memories most like it | k L | float32 | 0 to 1 | bytes |
    | how like it they are | k | float32 | 0 to 1 | share |
    | chance | 16 | float32 | 0 to 1 | bytes |
    | network | 16 | float32 | 0 to 1 | bytes |
    | what the others said last | 256 | float32 | 0 to 1 | share of each byte |
    | own last calls | 16 | float32 | 0 to 1 | calls, of 64 |
    | how it ended | 8 | float32 | 0 or 1 | one-hot |
    | own kernel | 5 | float32 | 0 to 1 | files, folders, open, children, bytes |
    | instructions | 1 | float32 | 0 to 1 | share of the limit |
    | own last rewards | one each | float32 | 0 to 1 | each by name, unweighted |
    | time left | 1 | float32 | 0 to 1 | share of the episode |

    ## Action
    `MultiDiscrete([256] * length)`: the utterance.

    ## Reward
    The weighted sum of the rewards named in `rewards`, divided by the horizon:
    `mirrorenv.bytes.rewards.REWARDS` lists them. Each is kept apart in `components`.

    ## Episode end
    Truncated after `horizon` steps.

    ## Arguments
    `num_agents` (4), `length` (64 bytes), `horizon` (8 steps), `rewards` (weights by name),
    and the switches `exchange`, `judge`, `see_own`, `memories`, `memory_path`, `embedding`,
    `entropy_bytes`, `entropy_source` (seeded or live), `network_bytes`, `network` (exchange, or a
    pcap file), `see_peers`, `execute`, `instructions` (256), `instruction_set` (x86-64, or
    riscv64), `decay` (0.9).

    ## What carries identity, what leaks
    Identity can only come from what an agent utters and from what that does: all start alike, with
    a kernel of their own, and others are seen as one. No leak is known. With `memory_path`,
    `exchange`, a judge or `entropy_source="live"` an episode is not decided by its seed.

    ## Version history
    v0: first version.
    """

    agent_name = "byte"
    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array",)

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 4,
        length: int = 64,
        horizon: int = 8,
        rewards: Mapping[str, float] | None = None,
        see_own: bool = True,
        memories: int = 2,
        memory_path: str = "",
        embedding: str = "ngrams",
        entropy_bytes: int = 16,
        entropy_source: str = "seeded",
        network_bytes: int = 16,
        network: str = "exchange",
        see_peers: bool = True,
        exchange: str = "",
        judge: str = "",
        execute: bool = True,
        instructions: int = 256,
        instruction_set: str = "x86-64",
        decay: float = 0.9,
    ) -> None:
        self.sight = SightSettings.checked(
            {
                "see_own": see_own,
                "memories": memories,
                "memory_path": memory_path,
                "embedding": embedding,
                "entropy_bytes": entropy_bytes,
                "entropy_source": entropy_source,
                "network_bytes": network_bytes,
                "network": network,
                "see_peers": see_peers,
                "exchange": exchange,
                "judge": judge,
                "execute": execute,
                "instructions": instructions,
                "instruction_set": instruction_set,
                "decay": decay,
            },
            "ByteMeditation",
        )
        limits = self.sight.limits(length)
        self.weights = checked_weights(rewards)
        self.length = length
        self._widths = self._parts()
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (sum(self._widths.values()),), np.float32),
            action_space=spaces.MultiDiscrete([256] * length),
        )
        if num_agents < 2 and see_peers:
            raise ConfigError("ByteMeditation: a single agent has no peers: set see_peers to False")
        self.executor: Executor = MachineExecutor(limits, self.sight.instruction_set)
        self._memory = self.sight.recollection(length)
        self._chance = self.sight.chance()
        self._traffic = self.sight.traffic()
        self._exchange = open_exchange(exchange)
        self._judged = Judged(open_judge(judge)) if self.weights.get("judge") else None
        self._clear()

    def close(self) -> None:
        """Give the child process back, and close what is held open."""
        self.executor.close()
        self._memory.close()
        self._exchange.close()
        if self._judged is not None:
            self._judged.close()

    # -- the world -------------------------------------------------------------------------------

    def _clear(self) -> None:
        rows = self.num_envs
        agents = self.num_agents
        length = self.length
        kept = self.sight.memories
        self.said = np.zeros((rows, agents, length), np.uint8)  # (B, N, L)
        self.counts = np.zeros((rows, agents, 256))  # (B, N, 256) decayed
        self.heard = np.zeros((rows, 256))  # (B, 256) said last by agents of other processes
        self.effects = nothing_happened(rows, agents)
        self.kernels: list[list[KernelState]] = [_fresh_kernels(agents) for _ in range(rows)]
        self.recalled = np.zeros((rows, agents, kept, length), np.uint8)  # (B, N, k, L)
        self.likeness = np.zeros((rows, agents, kept), np.float32)  # (B, N, k)
        self.components = {name: np.zeros((rows, agents)) for name in self.weights}  # (B, N) each
        self.earned = {name: np.zeros((rows, agents)) for name in self.weights}  # mean so far
        self.spoken: list[npt.NDArray[np.uint8]] = []  # (B, N, L) of every step so far
        self.done: list[Effects] = []  # what executing them did

    def _start(self) -> None:
        self._clear()
        self._memory.start(self.random.bits())
        self._draw()

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        step = int(self.clock.max()) - 1
        self.said[live] = actions[live].astype(np.uint8)
        self.spoken.append(self.said.copy())
        self.heard = self._exchange.share(byte_counts(self.said).sum(1) * live[:, None])
        fresh = decayed_counts(self.counts[live], byte_counts(self.said[live]), self.sight.decay)
        self.counts[live] = fresh
        if self.sight.execute:
            self._execute(live)
            self.done.append(copy.deepcopy(self.effects))
        if self.sight.memories:
            self.recalled, self.likeness = self._memory.nearest(
                self.said, self.sight.memories, step
            )
            self._memory.add(self.said, step, live)
        self._draw()
        judged = None if self._judged is None else self._judged.values(self.said)
        happened = Happened(
            self.said,
            self.counts,
            self.effects,
            self.sight.instructions,
            judged,
            call_bytes=instruction_set(self.sight.instruction_set).call_bytes,
        )
        self.components = {name: REWARDS[name](happened) for name in self.weights}
        paid = np.zeros((self.num_envs, self.num_agents))  # (B, N)
        for name, weight in self.weights.items():
            paid += weight * self.components[name]
            self.earned[name] += (self.components[name] - self.earned[name]) / (step + 1)
        return paid / self.horizon, None

    def _execute(self, live: Bools) -> None:
        """Execute what was said in all live rows at once, each on the speaker's kernel."""
        who = [(row, agent) for row in np.flatnonzero(live) for agent in range(self.num_agents)]
        programs = [self.said[row, agent].tobytes() for row, agent in who]
        states = [self.kernels[row][agent] for row, agent in who]
        results = self.executor.run(programs, states)
        for (row, agent), (execution, state) in zip(who, results, strict=True):
            self.effects.put(int(row), agent, execution, state)
            self.kernels[row][agent] = state

    def _draw(self) -> None:
        """Bytes of chance and of the network for the next observation."""
        step = int(self.clock.max())
        self.chance = self._chance.draw(self.said, self.sight.entropy_bytes, step, self.random)
        self.traffic = self._traffic.draw(self.said, self.sight.network_bytes, step, self.random)

    # -- what is seen ----------------------------------------------------------------------------

    def _parts(self) -> dict[str, int]:
        """Width of each part of an observation, in order."""
        sight = self.sight
        executed = {"calls": len(CALLS), "ending": len(ENDINGS), "kernel": len(KERNEL_PARTS)}
        return {
            "own": self.length * sight.see_own,
            "memory": self.length * sight.memories,
            "likeness": sight.memories,
            "chance": sight.entropy_bytes,
            "network": sight.network_bytes,
            "peers": 256 * sight.see_peers,
            **{name: width * sight.execute for name, width in executed.items()},
            "instructions": int(sight.execute),
            "reward": len(self.weights),
            "time left": 1,
        }

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every number of an observation by its part; calls, endings and rewards by name."""
        named = {
            "calls": _NAMES,
            "ending": tuple(ENDINGS),
            "kernel": KERNEL_PARTS,
            "reward": tuple(self.weights),
        }
        names: list[str] = []
        for part, width in self._widths.items():
            labels = named.get(part) or tuple(map(str, range(width)))
            names += [f"{part} {label}" if width > 1 else part for label in labels[:width]]
        return tuple(names)

    def _observe(self) -> Observations:
        first = self.effects.endings < 0  # (B, N) nothing was executed yet
        ending = np.eye(len(ENDINGS), dtype=np.float32)[self.effects.endings]
        ending[first] = 0.0
        seen = {
            "own": self.said / 255.0,
            "memory": self.recalled.reshape(self.num_envs, self.num_agents, -1) / 255.0,
            "likeness": self.likeness,
            "chance": self.chance / 255.0,
            "network": self.traffic / 255.0,
            "peers": self._peers() if self.sight.see_peers else np.zeros((0,)),
            "calls": np.minimum(self.effects.calls / 64.0, 1.0),
            "ending": ending,
            "kernel": self.effects.kernels,
            "instructions": (self.effects.instructions / self.sight.instructions)[:, :, None],
            "reward": np.stack([*self.components.values()], axis=2) if self.components else 0,
            "time left": self._time_left(),
        }
        shown = [np.asarray(seen[part]) for part, width in self._widths.items() if width]
        whole: Floats32 = np.concatenate(shown, axis=2).astype(np.float32)
        return np.clip(whole, 0.0, 1.0)

    def _peers(self) -> Floats32:
        """(B, N, 256) what the others said last, as shares; zeros before the first step."""
        if not self.spoken:
            return np.zeros((self.num_envs, self.num_agents, 256), np.float32)
        counts = byte_counts(self.said)  # (B, N, 256)
        others: Floats64 = (counts.sum(1) + self.heard)[:, None] - counts
        shares: Floats64 = others / np.maximum(others.sum(2, keepdims=True), 1.0)
        return shares.astype(np.float32)

    def state(self) -> Floats32:
        """(B, N (L + 5) + 1) float32: utterances and kernels of all agents, time left."""
        said = self.said.reshape(self.num_envs, -1) / 255.0
        kernels = self.effects.kernels.reshape(self.num_envs, -1)
        return np.concatenate([said, kernels, self._time_left()[:, 0]], axis=1).astype(np.float32)

    @property
    def reliability(self) -> Reliability | None:
        """How far the judge can be believed; None without one, and before it was asked."""
        return None if self._judged is None else self._judged.reliability

    def account(self) -> list[Account]:
        """What was said in the last episodes, as programs, and by which agent."""
        from mirrorenv.bytes.account import tables_of

        return tables_of(self)

    def render(self, index: int = 0) -> npt.NDArray[np.uint8]:
        """Row `index` as an (H, W, 3) uint8 picture."""
        from mirrorenv.bytes.drawing import draw_bytes

        spoken = np.zeros((0, self.num_agents, self.length), np.uint8)
        if self.spoken:
            spoken = np.stack([said[index] for said in self.spoken])  # (T, N, L)
        return draw_bytes(spoken, self.horizon, self.counts[index])


def _fresh_kernels(agents: int) -> list[KernelState]:
    return [fresh_state() for _ in range(agents)]
