"""Pac-Men once more, in plain Python: maps drawn by hand, dictionaries for cells, one agent after
the other.

`#` wall, `.` floor, `s` starting cell, `o` floor where a dot may lie. Nothing here is shared with
the fast world but the random draws: starting cells and fresh dots are handed over.
"""

from __future__ import annotations

TINI = """
#####################
#####################
#########ooo#########
#########ooo#########
#########ooo#########
#########ooo#########
#########...#########
##########.##########
##########.##########
##########.##########
##oooo.##sss##.oooo##
##oooo...sss...oooo##
##oooo.##sss##.oooo##
##########.##########
#########...#########
#########ooo#########
#########ooo#########
#########ooo#########
#########ooo#########
#####################
#####################
"""
SMALL = """
#########################
#########################
###########ooo###########
###########ooo###########
###########ooo###########
###########ooo###########
###########...###########
############.############
############.############
############.############
############.############
############.############
############.############
##oooo.####sss####.oooo##
##oooo.....sss.....oooo##
##oooo.####sss####.oooo##
############.############
############.############
###########...###########
###########ooo###########
###########ooo###########
###########ooo###########
###########ooo###########
#########################
#########################
"""
MAPS = {"tini": TINI.split(), "small": SMALL.split()}
MOVES = {0: (-1, 0), 1: (1, 0), 2: (0, 1), 3: (0, -1)}

Cell = tuple[int, int]


class SlowPacmen:
    """One world; `agents` holds (row, column) of each, `dots` the cells that hold one."""

    def __init__(self, size: str, agents: list[Cell], dots: set[Cell]) -> None:
        self.map = MAPS[size]
        self.agents = list(agents)
        self.dots = set(dots)

    def letter(self, cell: Cell) -> str:
        return self.map[cell[0]][cell[1]]

    def step(self, actions: list[int]) -> list[float]:
        """Everyone moves, then everyone eats; returns each agent's own reward. All dots gone:
        `dots` stays empty."""
        for i, action in enumerate(actions):
            if action in MOVES:
                row, column = self.agents[i]
                target = (row + MOVES[action][0], column + MOVES[action][1])
                if self.letter(target) != "#":
                    self.agents[i] = target
        eaters = {
            i for i, action in enumerate(actions) if action == 4 and self.agents[i] in self.dots
        }
        rewards = []
        for i in range(len(self.agents)):
            if i in eaters:
                rewards.append(1 / sum(1 for j in eaters if self.agents[j] == self.agents[i]))
            else:
                rewards.append(-0.025)
        self.dots -= {self.agents[i] for i in eaters}
        return rewards

    def window(self, i: int) -> list[float]:
        """What agent i sees: 5 x 5 cells, row by row."""
        seen = []
        for row in range(self.agents[i][0] - 2, self.agents[i][0] + 3):
            for column in range(self.agents[i][1] - 2, self.agents[i][1] + 3):
                if any((row, column) == other for j, other in enumerate(self.agents) if j != i):
                    seen.append(0.1)
                elif (row, column) in self.dots:
                    seen.append(1.0)
                else:
                    seen.append(-1.0 if self.letter((row, column)) == "#" else 0.0)
        return seen
