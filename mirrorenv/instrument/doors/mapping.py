"""What is what in a table: which column names the agent, the episode, the step, what was seen, done
or said; guessed from names, or as somebody says.

Shape legend: R rows, M trajectories, N agents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mirrorenv.errors import LogError
from mirrorenv.instrument.doors.table import Rows, texts_of
from mirrorenv.instrument.record import ChatRecord, Lineups, StepRecord
from mirrorenv.mirror.arrays import AnyArray, Floats64, Ints64

__all__ = ["ROLES", "Mapped", "record_of"]

_NAMES = {
    "agent": "agent agent_id agents player player_id speaker author who actor participant subject "
    "user user_id name role id unit",
    "episode": "episode episode_id eps_id episode_number ep game game_id match trial conversation "
    "conversation_id dialogue dialog session session_id thread chat run",
    "step": "step t time timestep time_step turn tick frame timestamp index",
    "action": "action actions act move choice a",
    "observation": "observation observations obs o",
    "text": "text content message utterance body says said",
}
ROLES: dict[str, tuple[str, ...]] = {role: tuple(names.split()) for role, names in _NAMES.items()}
"""Role -> names that columns of it go by, the likeliest first."""
_MANY = ("action", "observation", "text")
_SEVERAL = frozenset(("action", "observation"))
_ENDS = ("done", "dones", "terminated", "truncated", "terminal", "terminals")
_STARTS = ("episode_starts", "episode_start")
_OTHER = re.compile(
    r"^(reward|rewards|return|value|values|v_targets|advantage|advantages|logp|log_prob|log_probs|"
    r"action_logp|seed|info.*|next_.*|new_obs.*|done|dones|terminated|terminateds|truncated|"
    r"truncateds|terminal|terminals|episode_starts?|length|mask|module_id|weights_seq_no)$"
)
_LAW = re.compile(r"^(logp|log_prob|log_probability|probability|prob)[\[_.](.+?)\]?$")
_CHOICES = 64
"""Different whole numbers up to which an action is a choice."""
_WIDEST = 256
"""Observation columns; more are mixed into 64."""


@dataclass(frozen=True)
class Mapped:
    """How a table is to be understood.

    Args:
        columns: role -> name or names; see :data:`ROLES`.
        steps_per_episode: cut each agent's rows into parts of so many.
    """

    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    steps_per_episode: int | None = None

    def __post_init__(self) -> None:
        for role in self.columns:
            if role not in ROLES:
                raise LogError(f"--columns {role}=...: the roles are {', '.join(ROLES)}")
        for role, names in self.columns.items():
            if role not in _SEVERAL and not isinstance(names, str) and len(names) != 1:
                raise LogError(f"--columns {role}={','.join(names)}: {role} is one column")
        if "text" in self.columns and _SEVERAL.intersection(self.columns):
            raise LogError("--columns: a log is of texts, or of actions and observations")
        if self.steps_per_episode is not None and self.steps_per_episode < 1:
            raise LogError(f"steps_per_episode must be at least 1, got {self.steps_per_episode}")


def record_of(rows: Rows, mapped: Mapped) -> StepRecord | ChatRecord:
    """A table as trajectories with authors.

    Args:
        rows: R of them.
        mapped: how it is to be understood; what it does not say is guessed.

    Raises:
        LogError: if a role has no column, or a value in one is missing or not finite.
    """
    roles = _roles(rows, mapped)
    notes = [f"{role}: {', '.join(names)[:300]}" for role, names in roles.items() if names]
    names, agent = _agents(rows, roles["agent"])
    episode = _episodes(rows, roles["episode"], agent, mapped.steps_per_episode)
    order = _order(rows, roles["step"], agent, episode)
    keys = np.stack([episode[order], agent[order]])
    changes = np.flatnonzero(np.diff(keys, axis=1).any(0)) + 1
    firsts = np.concatenate([[0], changes])
    trajectory = np.repeat(np.arange(len(firsts)), np.diff([*firsts, len(order)]))
    compact = np.unique(episode[order][firsts], return_inverse=True)[1]
    lineups = Lineups(names, agent[order][firsts], compact)
    if roles["text"]:
        return _chats(rows, roles["text"], order, trajectory, lineups, notes)
    return _steps(rows, roles, order, trajectory, lineups, notes)


def _roles(rows: Rows, mapped: Mapped) -> dict[str, list[str]]:
    """Role -> names of its columns."""
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for role in ROLES:
        given = mapped.columns.get(role)
        if given is not None:
            names = [given] if isinstance(given, str) else list(given)
            for name in names:
                _known(rows, name, role)
            found[role] = names
            taken.update(names)
    for role in ROLES:
        if role not in found:
            found[role] = _guessed(rows, role, taken)
            taken.update(found[role])
    if found["text"] and not _SEVERAL.intersection(mapped.columns):
        found["action"] = []
        found["observation"] = []
    else:
        found["text"] = []
    if not found["text"] and not found["observation"] and "observation" not in mapped.columns:
        found["observation"] = _left_over(rows, taken)
    if not (found["text"] or found["action"] or found["observation"]):
        raise LogError(
            f"{rows.place.file}: no column of actions, observations or texts among "
            f"{', '.join(rows.columns)[:300]}; say which with --columns action=NAME"
        )
    return found


def _known(rows: Rows, name: str, role: str) -> None:
    if name not in rows.columns:
        raise LogError(
            f"{rows.place.file} has no column {name!r} for {role}; it has "
            f"{', '.join(rows.columns)[:300]}"
        )


def _guessed(rows: Rows, role: str, taken: set[str]) -> list[str]:
    free = [name for name in rows.columns if name not in taken]
    for known in ROLES[role]:
        named = [name for name in free if name.lower() == known]
        if named:
            return named[:1]
        if role in _MANY and len(known) > 1:
            pattern = re.compile(rf"^{known}s?[._\[ ]?\w*\]?$", re.IGNORECASE)
            several = [name for name in free if pattern.match(name) and not _LAW.match(name)]
            several = [name for name in several if not _OTHER.match(name.lower())]
            if several:
                return several if role in _SEVERAL else several[:1]
    return []


def _left_over(rows: Rows, taken: set[str]) -> list[str]:
    """Columns of numbers that nothing else is said of: what was seen."""
    found = []
    for name, column in rows.columns.items():
        used = name in taken or _OTHER.match(name.lower()) or _LAW.match(name)
        if not used and column.dtype != object:
            found.append(name)
    return found


def _agents(rows: Rows, names: list[str]) -> tuple[tuple[str, ...], Ints64]:
    if not names:
        raise LogError(
            f"{rows.place.file}: no column names the agent among {', '.join(rows.columns)[:300]}; "
            "say which with --columns agent=NAME, or give one log for each agent"
        )
    known, index = np.unique(texts_of(rows.columns[names[0]]).astype(str), return_inverse=True)
    return tuple(known.tolist()), index.astype(np.int64)


def _episodes(rows: Rows, names: list[str], agent: Ints64, steps: int | None) -> Ints64:
    """(R,) number of the episode of each row."""
    if names:
        column = rows.columns[names[0]]
        keys = column.astype(str) if column.dtype == object else column
        episode = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        # numbers go by size, and names by when they first come
        if column.dtype == object:
            episode = _by_appearance(episode)
    else:
        episode = _cut(rows, agent)
    if steps is None:
        return episode
    part = np.zeros(len(agent), np.int64)
    for one in np.unique(agent):
        own = np.flatnonzero(agent == one)
        part[own] = np.arange(len(own)) // steps
    return np.unique(np.stack([episode, part]), axis=1, return_inverse=True)[1].reshape(-1)


def _by_appearance(index: Ints64) -> Ints64:
    first = np.unique(index, return_index=True)[1]
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[index]


def _cut(rows: Rows, agent: Ints64) -> Ints64:
    """(R,) episodes from marks of their ends or starts; all rows are one where there are none."""
    episode = np.zeros(len(agent), np.int64)
    ends = np.zeros(len(agent), bool)
    starts = np.zeros(len(agent), bool)
    for name, column in rows.columns.items():
        if name.lower() in _ENDS and column.dtype != object:
            ends |= column.astype(bool)
        if name.lower() in _STARTS and column.dtype != object:
            starts |= column.astype(bool)
    for one in np.unique(agent):
        own = np.flatnonzero(agent == one)
        after = np.concatenate([[False], ends[own][:-1]])
        episode[own] = (after | starts[own]).cumsum() - int(starts[own][0])
    return episode


def _order(rows: Rows, names: list[str], agent: Ints64, episode: Ints64) -> Ints64:
    """(R,) rows by episode, agent and time; as they stand where nothing tells the time."""
    if not names:
        return np.lexsort((agent, episode))
    column = rows.columns[names[0]]
    time = column
    if column.dtype == object:
        time = np.unique(column.astype(str), return_inverse=True)[1]
    return np.lexsort((time, agent, episode))


def _chats(
    rows: Rows,
    names: list[str],
    order: Ints64,
    trajectory: Ints64,
    lineups: Lineups,
    notes: list[str],
) -> ChatRecord:
    texts = texts_of(rows.columns[names[0]])[order]
    turns: list[list[str]] = [[] for _ in lineups.agent]
    for which, text in zip(trajectory.tolist(), texts, strict=True):
        turns[which].append(str(text))
    return ChatRecord(lineups, tuple(map(tuple, turns)), tuple(notes))


def _steps(
    rows: Rows,
    roles: dict[str, list[str]],
    order: Ints64,
    trajectory: Ints64,
    lineups: Lineups,
    notes: list[str],
) -> StepRecord:
    seen, columns = _numbers(rows, roles["observation"], order)
    done, action_columns = _numbers(rows, roles["action"], order)
    choices = []
    for index in range(done.shape[1]):
        different = np.unique(done[:, index])
        whole = np.array_equal(different, np.rint(different))
        if whole and len(different) <= _CHOICES:
            done[:, index] = np.searchsorted(different, done[:, index])
            choices.append(len(different))
        else:
            choices.append(0)
    if seen.shape[1] > _WIDEST:
        notes.append(f"{seen.shape[1]:,} observation columns were mixed into 64")
        mix = np.random.default_rng(0).normal(size=(seen.shape[1], 64)) / np.sqrt(seen.shape[1])
        seen = seen @ mix
        columns = [f"mix{index}" for index in range(64)]
    return StepRecord(
        lineups,
        trajectory,
        seen.astype(np.float32),
        tuple(columns),
        done,
        tuple(action_columns),
        tuple(choices),
        _law(rows, lineups.names, order),
        tuple(notes),
    )


def _numbers(rows: Rows, names: list[str], order: Ints64) -> tuple[Floats64, list[str]]:
    """(R, D) all numbers of some columns, and their names; texts become numbers by their order."""
    parts = []
    columns: list[str] = []
    for name in names:
        values = _finite(rows, name)[order]
        parts.append(values)
        width = values.shape[1]
        columns += [name] if width == 1 else [f"{name}[{index}]" for index in range(width)]
    if not parts:
        return np.zeros((len(order), 0)), []
    return np.concatenate(parts, axis=1), columns


def _finite(rows: Rows, name: str) -> Floats64:
    column: AnyArray = rows.columns[name]
    if column.dtype == object:
        codes = np.unique(column.astype(str), return_inverse=True)[1]
        return codes.astype(np.float64).reshape(-1, 1)
    values = column.reshape(len(column), -1).astype(np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise LogError(
            f"{rows.place.at(row)}, column '{name[:80]}' is no finite number; fill it, or remove "
            "the row"
        )
    return values


def _law(rows: Rows, names: tuple[str, ...], order: Ints64) -> Floats64 | None:
    """(R, N) log probability of each action under every agent, where a column for each says so."""
    found: dict[str, Floats64] = {}
    for column in rows.columns:
        match = _LAW.match(column)
        if match and match[2] in names and rows.columns[column].dtype != object:
            values = _finite(rows, column)[order, 0]
            if match[1].startswith("prob"):
                if (values < 0).any() or (values > 1).any():
                    raise LogError(
                        f"{rows.place.file}, column '{column}': probabilities lie in [0, 1]"
                    )
                with np.errstate(divide="ignore"):
                    values = np.log(values)
            found[match[2]] = values
    if not found:
        return None
    missing = [name for name in names if name not in found]
    if missing:
        raise LogError(
            f"{rows.place.file}: there are probabilities under {', '.join(sorted(found))[:200]}, "
            f"none under {', '.join(missing)[:200]}; the ceiling needs logp[NAME] of every agent"
        )
    return np.stack([found[name] for name in names], axis=1)
