"""How many skills can be told apart in four rooms? A learned discriminator beside the exact one.

    python benchmarks/studies/four_rooms.py [--seed 0] [--skills 32] [--credit final] [--smoke]

DIAYN (Eysenbach et al., "Diversity is all you need", ICLR 2019) pays a skill z for states by which
a discriminator recognises it: log q(z | s) + log N. Here everything but the discriminator is exact.
N tabular policies walk 30 steps from one corner of the four rooms (Sutton, Precup and Singh 1999;
104 cells, four moves, a step into a wall is a stay); where each of them is after each step is
computed and not sampled, and so is the policy gradient. The discriminator is

exact     the posterior q(z | s) of the skills as they are
learned   a table of logits, trained alongside on as many sampled states as there are skills
          times `SAMPLED`

and the states it sees and pays for are the last of each episode, or each of them (as in DIAYN).
Skills start nearly alike. The figure is the effective number of skills, exp I(Z; S), at most N and
at most the number of cells.

Shapes: Z skills, S cells, A moves, T steps.
"""

from __future__ import annotations

import json
import math
from typing import Literal

import _root  # noqa: F401
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.shared.runner import Script

ROOMS = """
#############
#     #     #
#     #     #
#           #
#     #     #
#     #     #
## ####     #
#     ### ###
#     #     #
#     #     #
#           #
#     #     #
#############
"""
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
STEPS = 30
SAMPLED = 4
Credit = Literal["final", "every"]
Discriminator = Literal["exact", "learned"]


def four_rooms() -> NDArray[np.int64]:
    """(S, A): the cell that each move leads to. Cell 0 is the corner where skills start."""
    lines = ROOMS.strip().splitlines()
    cells = {
        (r, c): 0 for r, line in enumerate(lines) for c, sign in enumerate(line) if sign == " "
    }
    cells = {place: index for index, place in enumerate(cells)}
    table = []
    for (r, c), index in cells.items():
        # a wall leaves it where it is
        table.append([cells.get((r + down, c + right), index) for down, right in MOVES])
    return np.array(table)


def occupancy(logits: Tensor, leads_to: Tensor) -> Tensor:
    """Where each skill is after each step: logits (Z, S, A) -> probabilities (T, Z, S)."""
    policy = logits.softmax(-1)
    skills, cells, moves = policy.shape
    there = torch.zeros(skills, cells, dtype=policy.dtype)
    there[:, 0] = 1.0
    steps = []
    for _ in range(STEPS):
        flow = (there.unsqueeze(-1) * policy).view(skills, cells * moves)
        there = torch.zeros_like(there).index_add(1, leads_to.flatten(), flow)
        steps.append(there)
    return torch.stack(steps)


def paid_for(where: Tensor, credit: Credit) -> Tensor:
    """(Z, S): the distribution over the states that the discriminator sees."""
    return where[-1] if credit == "final" else where.mean(0)


def effective_skills(seen: Tensor) -> float:
    """exp I(Z; S) of (Z, S) state distributions, skills being equally likely."""
    mixture = seen.mean(0)
    terms = torch.where(
        seen > 0, seen * (seen.clamp_min(1e-300).log() - mixture.clamp_min(1e-300).log()), 0.0
    )
    return math.exp(float(terms.sum(1).mean()))


def learn(
    skills: int, credit: Credit, kind: Discriminator, seed: int, iterations: int
) -> dict[str, float]:
    """Train skills against their discriminator.

    Args:
        skills: N.
        credit: which states are paid for.
        kind: of discriminator.
        seed: of the first policies and of sampled states.
        iterations: steps of the policies (Adam, 0.05), each with one of the discriminator (Adam,
            0.05).

    Returns:
        effective skills in the last states (`final`) and in all of them (`every`).
    """
    generator = torch.Generator().manual_seed(seed)
    leads_to = torch.from_numpy(four_rooms())
    cells, moves = leads_to.shape
    logits = (
        0.01 * torch.randn(skills, cells, moves, generator=generator, dtype=torch.float64)
    ).requires_grad_()
    table = torch.zeros(cells, skills, dtype=torch.float64, requires_grad=True)
    policy_step = torch.optim.Adam([logits], lr=0.05)
    table_step = torch.optim.Adam([table], lr=0.05)
    for _ in range(iterations):
        seen = paid_for(occupancy(logits, leads_to), credit)  # (Z, S)
        if kind == "learned":
            states = torch.multinomial(
                seen.detach(), SAMPLED, replacement=True, generator=generator
            )  # (Z, SAMPLED)
            authors = torch.arange(skills).repeat_interleave(SAMPLED)
            loss = torch.nn.functional.cross_entropy(table[states.flatten()], authors)
            table_step.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            table_step.step()
            log_q = table.detach().log_softmax(-1).t()  # (Z, S)
        else:
            fixed = seen.detach()
            log_q = fixed.clamp_min(1e-12).log() - fixed.sum(0).clamp_min(1e-12).log()
        policy_step.zero_grad()
        (-(seen * log_q).sum(1).mean()).backward()  # type: ignore[no-untyped-call]
        policy_step.step()
    with torch.no_grad():
        where = occupancy(logits, leads_to)
    return {credit: effective_skills(paid_for(where, credit)) for credit in ("final", "every")}


def most_skills(skills: int) -> float:
    """The most that final states can tell apart: N, or the cells that can be reached and held."""
    leads_to = four_rooms()
    reached = {0}
    for _ in range(STEPS):
        reached = {int(cell) for at in reached for cell in leads_to[at]}
    return float(min(skills, len(reached)))


def main() -> None:
    """Print one run beside its exact counterpart as JSON."""
    script = Script(__doc__, seed=0, smoke={"iterations": 3})
    script.add_argument("--skills", type=int, default=32)
    script.add_argument("--credit", choices=("final", "every"), default="final")
    script.add_argument("--iterations", type=int, default=1000)
    options = script.parse()
    kinds: tuple[Discriminator, ...] = ("exact", "learned")
    for kind in kinds:
        found = learn(options.skills, options.credit, kind, options.seed, options.iterations)
        print(
            json.dumps(
                {
                    "benchmark": "four_rooms",
                    "discriminator": kind,
                    "skills": options.skills,
                    **found,
                }
            )
        )


if __name__ == "__main__":
    main()
