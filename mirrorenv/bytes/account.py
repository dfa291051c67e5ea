"""What the report tells of byte agents: what they said, what it means as a program, what it did.

Shape legend: T steps, B rows, N agents, L bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mirrorenv.bytes.entropy import byte_entropy, spatial_entropy
from mirrorenv.bytes.identity import byte_information_test, identity_bytes, source_test
from mirrorenv.bytes.machine.execution import ENDINGS
from mirrorenv.bytes.machine.instruction_sets import X86_64, InstructionSet, instruction_set
from mirrorenv.bytes.machine.kernel import CALLS
from mirrorenv.bytes.patterns import astray, loop_of, phases, unit_of
from mirrorenv.envs.account import Account

if TYPE_CHECKING:
    from mirrorenv.bytes.world import ByteMeditation

__all__ = ["disassembly", "tables_of"]

_NAMES = tuple(CALLS[number] for number in sorted(CALLS))
_ENDINGS = tuple(ENDINGS)
_SHOWN = 8  # instructions


def disassembly(program: bytes, most: int = _SHOWN, chosen: InstructionSet = X86_64) -> str:
    """The first instructions of a program; "(no instruction)" where there is none.

    Args:
        program: its bytes.
        most: instructions.
        chosen: the instruction set.
    """
    from mirrorenv.bytes.machine.guard import reader_of

    reader = reader_of(chosen)
    found = [f"{one.mnemonic} {one.op_str}".strip() for one in reader.disasm(program, 0, most)]
    return "; ".join(found) or "(no instruction)"


def tables_of(world: ByteMeditation) -> list[Account]:
    """What the last episodes of a world were."""
    if not world.spoken:
        return []
    tables = [_utterances(world), _agents(world), _found(world)]
    return [*tables, _paid(world)] if world.weights else tables


def _utterances(world: ByteMeditation) -> Account:
    rows: list[tuple[str, ...]] = []
    chosen = instruction_set(world.sight.instruction_set)
    for agent, name in enumerate(world.agents):
        for step, said in enumerate(world.spoken):
            program = said[0, agent].tobytes()
            done = world.done[step] if world.sight.execute else None
            ending = "not executed"
            calls = ""
            if done is not None:
                ending = _ENDINGS[int(done.endings[0, agent])]
                counts = done.calls[0, agent]
                calls = ", ".join(f"{n} x{c}" for n, c in zip(_NAMES, counts, strict=True) if c)
            shown = disassembly(program, chosen=chosen)
            rows.append((f"{name}, step {step + 1}", program.hex(), shown, calls or "none", ending))
    return Account(
        "What was said",
        f"One held-out episode: every utterance, its first instructions as {chosen.name}, and what "
        "it did.",
        ("who, when", "bytes", "as a program", "calls", "ended"),
        tuple(rows),
    )


def _agents(world: ByteMeditation) -> Account:
    said = np.stack(world.spoken, axis=1)  # (B, T, N, L)
    rows, steps, agents, length = said.shape
    flat = said.reshape(rows * steps, agents, length)
    rng = np.random.default_rng(0)
    told = byte_information_test(flat, rng)
    loud = identity_bytes(flat)
    made: list[tuple[str, ...]] = []
    for agent, name in enumerate(world.agents):
        own = flat[:, agent]
        chance = rng.integers(0, 256, own.shape).astype(np.uint8)
        against = source_test(own, chance, rng)
        repeats = _repeats(said[:, :, agent])
        endless = _share_at_limit(world, agent)
        made.append(
            (
                name,
                f"{byte_entropy(own).mean():.3f} / {spatial_entropy(own).mean():.3f}",
                " ".join(f"{byte:02x} ({ratio:+.2f})" for byte, ratio in loud[agent]),
                f"p = {against.p_value:.3f}",
                f"{repeats:.0%}",
                f"{endless:.0%}",
            )
        )
    lead = (
        f"{rows} held-out episodes. A byte tells {told.value:.4f} nats about its speaker, "
        f"{told.null:.4f} with shuffled names (p = {told.p_value:.3f}). Different from chance: a "
        "permutation test against uniform bytes, which says that the output is not what chance "
        "gives, and nothing beyond that."
    )
    heads = ("agent", "entropy of bytes / neighbours", "identity bytes (log ratio)")
    return Account(
        "Who says what",
        lead,
        (*heads, "different from chance", "repeats itself", "runs to the limit"),
        tuple(made),
    )


def _found(world: ByteMeditation) -> Account:
    """Copies, loops and phases of going astray, with their first example."""
    said = np.stack(world.spoken, axis=1)  # (B, T, N, L)
    rows: list[tuple[str, ...]] = []
    for agent, name in enumerate(world.agents):
        own = said[:, :, agent]  # (B, T, L)
        kinds = {
            "one piece again and again": [
                (row, step, unit_of(own[row, step].tobytes()).hex())
                for row, step in np.ndindex(own.shape[:2])
                if len(unit_of(own[row, step].tobytes())) < own.shape[2]
            ],
            "a loop without end": _loops(world, agent),
            "haywire": [
                (one.episode, one.first, f"until step {one.last + 1}")
                for one in phases(astray(own))
            ],
        }
        for kind, found in kinds.items():
            if found:
                row, step, what = found[0]
                where = f"episode {row + 1}, step {step + 1}"
                rows.append((name, kind, str(len(found)), where, what))
    lead = (
        f"Looked for in all {said.shape[0]} held-out episodes: utterances that repeat one piece, "
        "programs that ran to the limit in a loop, and two or more utterances in a row that are "
        "unlike everything else an agent said."
    )
    if not rows:
        lead += " None of them was found."
    return Account(
        "Loops, copies, going haywire",
        lead,
        ("agent", "what", "how often", "first", "which"),
        tuple(rows),
    )


def _loops(world: ByteMeditation, agent: int) -> list[tuple[int, int, str]]:
    """Row, step and places of programs that ended at the limit, going round."""
    limit = _ENDINGS.index("limit")
    found: list[tuple[int, int, str]] = []
    for step, done in enumerate(world.done):
        for row in np.flatnonzero(done.endings[:, agent] == limit):
            trace = done.traces[row, agent]
            round_made = loop_of(trace[trace >= 0].tolist())
            places = ", ".join(map(str, round_made)) or "a long one"
            found.append((int(row), step, f"bytes {places}"))
    return sorted(found)


def _paid(world: ByteMeditation) -> Account:
    """Each reward by name."""
    rows: list[tuple[str, ...]] = []
    for name, weight in world.weights.items():
        each = [f"{value:.3f}" for value in world.earned[name].mean(0)]
        rows.append((name, f"{weight:g}", *each))
    lead = "Mean over held-out episodes and their steps, before the weight; from 0 to 1."
    if (told := world.reliability) is not None:
        lead += (
            f" The judge was asked twice about {told.utterances} utterances first: kappa "
            f"{told.kappa:.2f}, {told.invalid:.0%} of its replies neither good nor bad."
        )
    return Account("What was paid", lead, ("reward", "weight", *world.agents), tuple(rows))


def _repeats(said: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """Share of utterances (B, T, L) that are the one before them again."""
    if said.shape[1] < 2:
        return 0.0
    return float((said[:, 1:] == said[:, :-1]).all(-1).mean())


def _share_at_limit(world: ByteMeditation, agent: int) -> float:
    """Share of programs that ended at the limit of instructions: loops without end."""
    if not world.sight.execute:
        return 0.0
    limit = _ENDINGS.index("limit")
    return float(np.mean([(done.endings[:, agent] == limit).mean() for done in world.done]))
