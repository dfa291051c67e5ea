"""What `result.json` says: the small schema that all result folders share, whoever acted.

Four kinds. A `population` result holds trajectories, lineups and evidence, and every score is
recomputed from them. A `debate` result holds texts, lineups and beliefs, and a row of figures for
each game and reader; a `preference` result the same for tuned voices and their likelihoods. A
`table` result holds rows of figures only: one for each draw of a simulation.

Version 2 says besides on what it was computed (`machine`) and what the policies' weights are
(`weights`). A result of version 1 says neither, stays valid, and is unproved.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mirrorenv.errors import ResultError
from mirrorenv.results.runs.files import read_json, to_json
from mirrorenv.strict import in_words

__all__ = [
    "RESULT",
    "Better",
    "Entry",
    "Figure",
    "Machine",
    "Neighbours",
    "Reader",
    "Reference",
    "Result",
    "SuiteMark",
    "Weights",
    "read_result",
    "result_json",
]

RESULT = "result.json"
SCHEMA: Literal["mirrorenv-result"] = "mirrorenv-result"
VERSION: Literal[2] = 2
READABLE = (1, 2)
Better = Literal["high", "low", "neither"]
Name = Field(min_length=1, max_length=120)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Reference(_Strict):
    """What a figure is compared with."""

    value: float
    source: str = Field(max_length=300)
    """Where it comes from: `"closed form r/log 2"`, `"scripted specialists"`, a publication."""


class Entry(_Strict):
    """One line of a leaderboard: a condition, over one or more seeds."""

    condition: str = Name
    """What was done: `"author, dense"`, `"weight 0"`, the name of an agent card."""
    agents: str = Name
    """Kind of agent: `"trained"`, `"scripted"`, `"language model"`, `"exact"`."""
    exact: bool = False
    """Computed without chance, so that there is nothing to put an interval around."""
    references: dict[str, Reference] = {}
    """Figure -> what it is compared with."""


class Figure(_Strict):
    """A number that is measured once for each seed."""

    name: str = Name
    """Also the column of `episodes` that it is computed from, unless it is of a belief."""
    title: str = Name
    """For the head of a column."""
    about: str = Field(default="", max_length=400)
    share: bool = False
    """A share in [0, 1], with the interval of shares."""
    better: Better = "neither"
    of: Literal["rows", "belief"] = "rows"
    """Mean over the rows of `episodes`, or a score of the belief that the part before the last
    dot names."""
    over_seeds: Literal["mean", "median", "interquartile mean"] = "mean"
    """How seeds are put together on a leaderboard."""


class Reader(_Strict):
    """Somebody whose evidence is kept, and how it is decoded."""

    name: str = Name
    stream: str = Name
    """Which evidence it reads, one of the result's `streams`."""
    decode: Literal["independent", "marginals"]
    limit: str | None = None
    """Stream of the exact limit that its efficiency is measured against."""


class Neighbours(_Strict):
    """Which agents each observer was shown: itself and those nearest to it in its episode."""

    count: int = Field(ge=1)
    """Neighbours, the observer itself not counted."""
    place: tuple[int, ...] = Field(min_length=1)
    """Columns of the flattened observation that say where an agent is."""
    run: int
    """Seed of the lots drawn between agents equally near."""
    first_episode: int
    """Id of trial 0 in these lots; trial t has this id plus t."""

    @field_validator("place", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class SuiteMark(_Strict):
    """Which row of which suite this is."""

    name: str = Name
    version: int = Field(ge=1)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the suite's definition; see `mirrorenv.results.board.suite`."""
    row: str = Name
    smoke: bool = False
    """A run that only shows that everything works; it is on no leaderboard."""


class Machine(_Strict):
    """What decides the last bit of a sum, beside the numbers."""

    processor: str = Name
    """What PyTorch uses of it, as `torch.backends.cpu.get_cpu_capability` says: `"AVX512"`."""
    architecture: str = Name
    """As `platform.machine` says: `"x86_64"`."""
    torch: str = Name
    """Version and build: `"2.13.0+cpu"`."""
    threads: int = Field(ge=1, le=4096)
    """Within one operation."""


class Weights(_Strict):
    """The weights of the agents and observers that a result is of."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the safetensors file."""
    bytes: int = Field(ge=1)
    held: bool
    """Whether the folder holds the file; large ones are named by their hash only."""


class Result(_Strict):
    """The content of `result.json`."""

    schema_name: Literal["mirrorenv-result"] = SCHEMA
    version: Literal[1, 2] = 1
    """2 where it says on what it was computed, see `result_json`."""
    kind: Literal["population", "debate", "preference", "table"]
    title: str = Name
    world: str = Name
    world_options: dict[str, Any] = {}
    entries: tuple[Entry, ...] = Field(min_length=1, max_length=1000)
    figures: tuple[Figure, ...] = Field(min_length=1, max_length=200)
    seeds: tuple[int, ...] = Field(min_length=1, max_length=10_000)
    streams: tuple[str, ...] = ()
    """Names of the evidence in `beliefs`, by index."""
    readers: tuple[Reader, ...] = ()
    neighbours: Neighbours | None = None
    """By what observers were shown some agents only, in the table `shown`; None where all were
    shown everybody."""
    suite: SuiteMark | None = None
    config: dict[str, Any] = {}
    versions: dict[str, str] = {}
    git: dict[str, Any] | None = None
    device: str = Field(default="cpu", max_length=200)
    machine: Machine | None = None
    """On what it was computed; None in results of version 1."""
    weights: Weights | None = None
    """Of the trained agents and observers; None where nothing was trained, and in version 1."""
    links: dict[str, str] = {}
    """Words -> a path relative to the folder, or an https address: the run's report,
    transcripts."""
    notes: tuple[str, ...] = ()

    @field_validator("entries", "figures", "seeds", "streams", "readers", "notes", mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _names_are_used_once(self) -> Result:
        named: list[tuple[str, list[Any]]] = [
            ("entry", [(entry.condition, entry.agents) for entry in self.entries]),
            ("figure", [figure.name for figure in self.figures]),
            ("seed", list(self.seeds)),
            ("stream", list(self.streams)),
            ("reader", [reader.name for reader in self.readers]),
        ]
        for what, names in named:
            if len(set(names)) < len(names):
                raise ValueError(
                    f"the {what} {next(name for name in names if names.count(name) > 1)!r} is "
                    "there twice"
                )
        for reader in self.readers:
            for stream in (reader.stream, reader.limit):
                if stream is not None and stream not in self.streams:
                    raise ValueError(
                        f"reader '{reader.name}' reads '{stream}', which is none of the streams"
                    )
        return self

    @model_validator(mode="after")
    def _version_says_what_is_there(self) -> Result:
        if self.version == 1 and (self.machine is not None or self.weights is not None):
            raise ValueError("a result of version 1 says nothing of machine and weights")
        if self.version == 2 and self.machine is None:
            raise ValueError("a result of version 2 says on which machine it was computed")
        return self

    def figure(self, name: str) -> Figure:
        """The figure of that name.

        Raises:
            ResultError: if there is none.
        """
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise ResultError(
            f"'{self.title}' has no figure '{name}'; it has: "
            f"{', '.join(f.name for f in self.figures)}"
        )


def result_json(result: Result) -> dict[str, Any]:
    """The object that is written to `result.json`."""
    # what a result does not have is left out, so that older ones are written as they were
    left_out = {
        name for name in ("neighbours", "machine", "weights") if getattr(result, name) is None
    }
    plain = to_json(result.model_dump(mode="json", exclude=left_out), RESULT)
    return {"schema": plain.pop("schema_name"), **plain}


def read_result(folder: Path) -> Result:
    """Read and check `result.json`.

    Raises:
        ResultError: if it is missing, of a later version, or not of this schema; the message names
            the first problem.
    """
    path = folder / RESULT
    if not path.is_file():
        raise ResultError(
            f"{folder} is no result folder (no {RESULT}); 'mirrorenv results export RUN' makes one"
        )
    data = read_json(path)
    if data.get("schema") != SCHEMA:
        raise ResultError(f"{path} says schema {data.get('schema')!r} where '{SCHEMA}' belongs")
    if data.get("version") not in READABLE:
        raise ResultError(
            f"{path} has version {data.get('version')!r}; this mirrorenv reads versions 1 to "
            f"{VERSION}"
        )
    try:
        data["schema_name"] = data.pop("schema")
        return Result.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ResultError(f"{path}: {place}: {in_words(first)}") from error
