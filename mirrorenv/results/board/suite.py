"""A suite as data: what is run, with how many seeds, and a hash that every result carries.

A suite file::

    name = "theory"
    version = 1
    title = "Closed forms"
    figures = ["threshold"]        # columns of the leaderboard, the most telling first
    primary = "threshold"          # what lines are grouped by

    [[rows]]
    row = "orbit-identity"
    world = "mirrorenv/identity-v0"
    runner = "orbit"               # which function of benchmarks/suites/suite_*.py makes it
    seeds = 24                     # 0, 1, ..., 23
    first_seed = 0                 # seeds no one looked at start elsewhere
    together = true                # all seeds in one folder, one call
    table = "One-step games"       # lines of one table share its columns
    seconds = 60.0                 # estimated, of one core, for all seeds
    [rows.arguments]
    agents = 2

The hash covers everything that a result depends on, and no words and no estimates: correcting a
title leaves old results where they are, changing a row puts new ones into a table of their own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mirrorenv.errors import ConfigError
from mirrorenv.results.folders.schema import SuiteMark
from mirrorenv.strict import in_words, parse_toml, read_settings_text

__all__ = ["Suite", "SuiteRow", "find_suites", "load_suite"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class SuiteRow(_Strict):
    """One row: a runner, its arguments and its seeds."""

    row: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")
    world: str
    runner: str
    arguments: dict[str, Any] = {}
    seeds: int = Field(ge=1, le=10_000)
    first_seed: int = Field(default=0, ge=0, le=1_000_000)
    """The lowest one: a row that was picked on some seeds is reported on others."""
    together: bool = False
    """One folder holds all seeds; otherwise each seed has one."""
    seconds: float = Field(gt=0)
    """Estimated time on one core, for all seeds."""
    about: str = ""
    table: str = ""
    """Which of the suite's tables it stands in, in words."""
    primary: str = ""
    """What the lines of its table are grouped by, if not by the suite's `primary`."""

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """What a whole result of the row holds, ascending."""
        return tuple(range(self.first_seed, self.first_seed + self.seeds))

    def pieces(self) -> list[tuple[str, tuple[int, ...]]]:
        """What can be run by itself: name of its folder below the row's, and its seeds."""
        if self.together:
            return [("all", self.all_seeds)]
        return [(f"seed{seed}", (seed,)) for seed in self.all_seeds]


class Suite(_Strict):
    """Rows that belong together, and how they are shown."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    version: int = Field(ge=1)
    title: str
    about: str = ""
    figures: tuple[str, ...] = Field(min_length=1)
    primary: str
    kind: Literal["closed form", "learned"] = "learned"
    rows: tuple[SuiteRow, ...] = Field(min_length=1)

    @field_validator("figures", "rows", mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _names_fit(self) -> Suite:
        names = [row.row for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(
                f"a row is there twice: {next(name for name in names if names.count(name) > 1)}"
            )
        for primary in (self.primary, *(row.primary for row in self.rows if row.primary)):
            if primary not in self.figures:
                raise ValueError(f"the primary figure '{primary}' is none of the figures")
        return self

    @property
    def hash(self) -> str:
        """SHA-256, in hex, of everything that a result depends on."""
        rows = []
        for row in self.rows:
            held = row.model_dump(exclude={"seconds", "about", "table", "primary"})
            if held["first_seed"] == 0:  # rows were hashed before they could say another
                del held["first_seed"]
            rows.append(held)
        content = {
            "name": self.name,
            "version": self.version,
            "figures": self.figures,
            "rows": rows,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def mark(self, row: str, smoke: bool = False) -> SuiteMark:
        """What a result of one row carries."""
        return SuiteMark(name=self.name, version=self.version, hash=self.hash, row=row, smoke=smoke)

    @property
    def seconds(self) -> float:
        """Estimated time of the whole suite on one core."""
        return sum(row.seconds for row in self.rows)


def load_suite(path: Path) -> Suite:
    """Read a suite's TOML file.

    Raises:
        ConfigError: if it is missing or something in it is wrong.
    """
    try:
        return Suite(**parse_toml(read_settings_text(path), f"suite {path}"))
    except (ValidationError, TypeError) as error:
        said = str(error)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            said = f"{place}: {in_words(first)}"
        raise ConfigError(f"suite {path}: {said}") from error


def find_suites(near: Path) -> dict[str, Suite]:
    """Suites by name from the folder `suites` beside `near` or beside one of the folders above
    it.

    Results lie in `benchmarks/results` and suites in `benchmarks/suites`, so a result finds its
    suite.

    Raises:
        ConfigError: if a suite there is malformed.
    """
    try:
        start = near.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ConfigError(f"{near}: {error}; name the folder itself") from error
    for folder in (start, *start.parents):
        if (folder / "suites").is_dir():
            found = [load_suite(path) for path in sorted((folder / "suites").glob("*.toml"))]
            return {suite.name: suite for suite in found}
    return {}
