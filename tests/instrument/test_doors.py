"""A log is the same in whatever file it comes, and what is no log is refused by place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrorenv.errors import LogError
from mirrorenv.instrument.doors.mapping import Mapped
from mirrorenv.instrument.doors.opening import open_log
from mirrorenv.instrument.doors.table import DOORS
from mirrorenv.instrument.record import ChatRecord, StepRecord
from tests.instrument.logs import HABITS, columns_of, log_of

Columns = dict[str, np.ndarray]


def _rows(columns: Columns) -> list[dict[str, object]]:
    names = list(columns)
    lists = [columns[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]


def _delimited(delimiter: str) -> Callable[[Columns, Path], None]:
    def write(columns: Columns, path: Path) -> None:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(columns), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(_rows(columns))

    return write


def _lines(columns: Columns, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in _rows(columns)))


def _list(columns: Columns, path: Path) -> None:
    path.write_text(json.dumps(_rows(columns)))


def _npz(columns: Columns, path: Path) -> None:
    np.savez(path, **columns)


def _parquet(columns: Columns, path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(
        pa.table({name: pa.array(column) for name, column in columns.items()}), path
    )


WRITERS: dict[str, Callable[[Columns, Path], None]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _list,
    ".npz": _npz,
    ".parquet": _parquet,
}
TRANSCRIPTS = {".txt"}
DATA_SETS = {".h5", ".hdf5"}


def test_every_door_is_tried_here() -> None:
    assert set(WRITERS) | TRANSCRIPTS | DATA_SETS == set(DOORS)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_log_is_the_same_in_every_file(ending: str, tmp_path: Path) -> None:
    record = log_of(HABITS, episodes=6)
    columns = columns_of(record)
    shuffled = np.random.default_rng(0).permutation(len(columns["agent"]))
    path = tmp_path / f"log{ending}"
    WRITERS[ending]({name: column[shuffled] for name, column in columns.items()}, path)
    found = open_log([path], Mapped())
    assert isinstance(found, StepRecord)
    assert found.lineups.names == record.lineups.names
    np.testing.assert_array_equal(found.lineups.agent, record.lineups.agent)
    np.testing.assert_array_equal(found.lineups.episode, record.lineups.episode)
    np.testing.assert_array_equal(found.trajectory, record.trajectory)
    np.testing.assert_array_equal(found.actions, record.actions)
    np.testing.assert_allclose(found.observations, record.observations, rtol=1e-6)
    assert found.choices == (3,)


def test_a_minari_data_set_is_of_one_agent(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for name in ("expert", "human"):
        (tmp_path / name / "data").mkdir(parents=True)
        with h5py.File(tmp_path / name / "data" / "main_data.hdf5", "w") as file:
            for episode in range(11):
                group = file.create_group(f"episode_{episode}")
                group["observations"] = np.full((4, 2), episode)
                group["actions"] = np.arange(3)
    found = open_log([tmp_path / "expert", tmp_path / "human"], Mapped())
    assert isinstance(found, StepRecord)
    assert found.lineups.names == ("expert", "human")
    assert found.lineups.num_episodes == 22
    assert not found.lineups.together
    assert sorted(set(found.observations[:, 0].tolist())) == list(range(11))


def test_a_result_folder_is_read_with_its_labels() -> None:
    row = Path("benchmarks/results/worlds/ants-separate-author/seed0")
    found = open_log([Path(__file__).resolve().parents[2] / row], Mapped())
    assert isinstance(found, StepRecord)
    assert found.lineups.num_agents == 4
    assert (np.bincount(found.lineups.agent) == found.lineups.num_episodes).all()


def test_chats_come_as_lines_as_messages_and_as_transcripts(tmp_path: Path) -> None:
    turns = [("Ann", "Hello there."), ("Bo", "Hm: no."), ("Ann", "Why?")]
    rows = [{"game": 7, "speaker": who, "text": text} for who, text in turns]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    messages = [{"role": who, "content": text} for who, text in turns]
    (tmp_path / "b.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    (tmp_path / "c.txt").write_text("\n".join(f"{who}: {text}" for who, text in turns))
    for file in ("a.jsonl", "b.jsonl", "c.txt"):
        found = open_log([tmp_path / file], Mapped())
        assert isinstance(found, ChatRecord)
        assert found.lineups.names == ("Ann", "Bo")
        assert found.turns == (("Hello there.", "Why?"), ("Hm: no.",))


def test_a_folder_of_chats_is_a_conversation_a_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text("Ann: yes\nBo: no\n")
    found = open_log([tmp_path], Mapped())
    assert isinstance(found, ChatRecord)
    assert found.lineups.num_episodes == 2


def test_rollouts_of_stable_baselines_are_cut_where_episodes_start(tmp_path: Path) -> None:
    starts = np.array([[1, 1], [0, 0], [1, 0], [0, 1]])
    np.savez(
        tmp_path / "ppo.npz",
        observations=np.zeros((4, 2, 3)),
        actions=np.arange(8).reshape(4, 2, 1),
        episode_starts=starts,
    )
    found = open_log([tmp_path / "ppo.npz"], Mapped())
    assert isinstance(found, StepRecord)
    assert found.lineups.names == ("ppo",)
    assert found.lengths().tolist() == [2, 2, 3, 1]
    assert found.actions[:, 0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_episodes_of_rllib_are_read_without_it() -> None:
    def own(actions: list[int]) -> SimpleNamespace:
        seen = np.zeros((len(actions) + 1, 2))
        return SimpleNamespace(get_observations=lambda: seen, get_actions=lambda: actions)

    episodes = [
        SimpleNamespace(id_=str(number), agent_episodes={"a": own([0, 1]), "b": own([1])})
        for number in range(3)
    ]
    found = open_log([episodes], Mapped())
    assert isinstance(found, StepRecord)
    assert found.lineups.names == ("a", "b")
    assert found.lengths().tolist() == [2, 1] * 3


def test_columns_are_what_somebody_says(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("who,k,does,sees\nx,1,left,0.5\ny,1,right,0.1\n")
    roles = {"agent": "who", "episode": "k", "action": "does", "observation": ["sees"]}
    found = open_log([path], Mapped(roles))
    assert isinstance(found, StepRecord)
    assert found.lineups.names == ("x", "y")
    assert found.columns == ("sees",)
    assert found.choices == (2,)


def test_one_long_episode_is_cut_where_somebody_says(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("agent,action\n" + "a,1\nb,0\n" * 10)
    found = open_log([path], Mapped(steps_per_episode=4))
    assert isinstance(found, StepRecord)
    assert found.lengths().tolist() == [4, 4, 4, 4, 2, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agent,action\na,1\nb,\n", "row 3, column 'action' is empty"),
        ("agent,action\na,1\nb,nan\n", "row 3, column 'action' is no finite number"),
        ("agent,action\na,1,2\n", "row 2 has 3 columns"),
        ("agent,agent\na,1\n", "each once"),
        ("agent,action\n", "no rows"),
        ("agent,reward\na,1\nb,2\n", "no column of actions"),
        ("agent,logp[a],action\na,-1,0\nb,-1,0\n", "none under b"),
        ("agent,logp[a],logp[b],action\na,inf,1,0\nb,1,1,0\n", "no finite number"),
    ],
)
def test_what_is_no_log_is_refused_by_place(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(LogError, match=r"log\.csv") as refused:
        open_log([path], Mapped())
    assert said in str(refused.value)


def test_what_is_typed_of_columns_is_heeded_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("agent,action,text\na,1,yes\nb,0,no\n")
    assert isinstance(open_log([path], Mapped()), ChatRecord)
    steps = open_log([path], Mapped({"action": "action"}))
    assert isinstance(steps, StepRecord)
    assert steps.action_columns == ("action",)
    with pytest.raises(LogError, match="agent is one column"):
        Mapped({"agent": ["agent", "text"]})
    with pytest.raises(LogError, match="of texts, or of actions"):
        Mapped({"text": "text", "action": "action"})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"agent": "a", "action": 1}', '{"agent": "b", "action": 0, "x": 2}'], "'x' stands"),
        (['{"messages": [{"role": "a", "content": [{"text": "hi"}]}]}'], "content is a list"),
    ],
)
def test_what_a_line_holds_and_others_do_not_is_refused(
    lines: list[str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(LogError, match=said):
        open_log([path], Mapped())


def test_conversations_of_a_long_file_stay_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrorenv.instrument.doors.files._CHUNK", 2)
    line = json.dumps({"messages": [{"role": "Ann", "content": "yes"}]})
    (tmp_path / "log.jsonl").write_text("\n".join([line] * 5))
    assert open_log([tmp_path / "log.jsonl"], Mapped()).lineups.num_episodes == 5


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "log.npz", agent=np.array([{}, {}], object))
    with pytest.raises(LogError, match="without running code"):
        open_log([tmp_path / "log.npz"], Mapped())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), ending=st.sampled_from(sorted(set(DOORS) - DATA_SETS)))
def test_junk_raises_one_kind_of_error(content: bytes, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"junk{ending}"
    path.write_bytes(content)
    try:
        open_log([path], Mapped())
    except LogError as error:
        assert "junk" in str(error)
