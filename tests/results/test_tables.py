"""Tables come back as they were written, in both forms, and never as a pickle."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mirrorenv.errors import MissingExtraError, ResultError
from mirrorenv.results.folders import tables
from mirrorenv.results.folders.tables import read_table, select, table_file, write_table

FORMS = ("parquet", "npz")
DTYPES = st.sampled_from(["f4", "f8", "i8", "u8", "i2", "?"]).map(np.dtype)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 5), st.sampled_from(FORMS))
def test_a_table_comes_back_as_it_was_written(tmp_path_factory, data, rows, form):
    folder = tmp_path_factory.mktemp("table")
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=2, max_side=3))
    table = {
        "numbers": data.draw(arrays.arrays(data.draw(DTYPES), (rows, *shape))),
        "texts": data.draw(st.lists(TEXTS, min_size=rows, max_size=rows)),
    }
    found = read_table(write_table(folder, "one", table, form))
    assert found.keys() == table.keys() and found["texts"] == table["texts"]
    assert found["numbers"].dtype == table["numbers"].dtype
    np.testing.assert_array_equal(found["numbers"], table["numbers"])


@pytest.mark.parametrize("form", FORMS)
def test_a_flipped_bit_is_never_read_as_another_number(tmp_path, form):
    rng = np.random.default_rng(0)
    table = {
        "a": rng.normal(size=(40, 3)),
        "b": np.arange(40),
        "words": [f"word {k}" for k in range(40)],
    }
    path = write_table(tmp_path, "one", table, form)
    good = path.read_bytes()
    for position in rng.integers(len(good), size=150):
        bad = bytearray(good)
        bad[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            found = read_table(path)
        except ResultError:
            continue
        for name in found.keys() & table.keys():  # a bit in a name or in what nobody reads
            np.testing.assert_array_equal(found[name], table[name])


def test_a_pickle_in_an_npz_is_not_opened(tmp_path):
    opened = []

    class Trap:
        def __reduce__(self):
            return opened.append, (1,)

    np.savez(tmp_path / "one.npz", a=np.array([Trap()], dtype=object))
    with pytest.raises(ResultError, match="cannot be read"):
        read_table(tmp_path / "one.npz")
    assert not opened


def test_what_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 1000)
    for form in FORMS:
        path = write_table(tmp_path, "one", {"zeros": np.zeros(10_000)}, form)
        with pytest.raises(ResultError, match="bytes of memory"):
            read_table(path)
        path.unlink()


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"a": np.zeros(2), "b": np.zeros(3)},
        {"a": np.array(["x"])},
        {"a": np.zeros((2, 0))},
        {"a": ["\ud800"]},
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_table_is_refused(tmp_path, table, form):
    with pytest.raises(ResultError):
        write_table(tmp_path, "one", table, form)
    assert not list(tmp_path.iterdir())


def test_a_table_in_two_forms_is_refused(tmp_path):
    for form in FORMS:
        write_table(tmp_path, "one", {"a": np.zeros(1)}, form)
    with pytest.raises(ResultError, match="twice"):
        table_file(tmp_path, "one")
    assert table_file(tmp_path, "two") is None


def test_a_file_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "one.parquet").write_bytes(b"PAR1 or so")
    with zipfile.ZipFile(tmp_path / "two.npz", "w") as archive:
        archive.writestr("a.txt", "hello")
    for name in ("one.parquet", "two.npz", "three.npz"):
        with pytest.raises(ResultError):
            read_table(tmp_path / name)


def test_texts_as_npz_arrays_are_refused(tmp_path):
    sink = io.BytesIO()
    np.savez(sink, a=np.array(["x", "y"]))
    (tmp_path / "one.npz").write_bytes(sink.getvalue())
    with pytest.raises(ResultError, match="neither numbers nor texts"):
        read_table(tmp_path / "one.npz")


def test_without_pyarrow_tables_are_npz_and_parquet_asks_for_the_extra(tmp_path, monkeypatch):
    path = write_table(tmp_path, "one", {"a": np.zeros(1)}, "parquet")
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    monkeypatch.setattr("mirrorenv.errors.import_module", _missing("pyarrow"))
    assert write_table(tmp_path, "two", {"a": np.zeros(1)}).suffix == ".npz"
    with pytest.raises(MissingExtraError, match=r"\[data\]"):
        read_table(path)


def _missing(module):
    def load(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=module)

    return load


def test_rows_are_picked_by_mask_and_by_index():
    table = {"a": np.arange(3), "b": ["x", "y", "z"]}
    assert select(table, np.array([True, False, True]))["b"] == ["x", "z"]
    assert select(table, np.array([2, 0]))["a"].tolist() == [2, 0]


def test_files_are_found_by_path(tmp_path):
    path = write_table(tmp_path, "one", {"a": np.zeros(1)}, "npz")
    assert table_file(Path(tmp_path), "one") == path


@pytest.mark.parametrize("offsets", [[0, 3, 0, 3], [0, 9], [1, 3], [], [-1, 3]])
def test_texts_whose_offsets_do_not_rise_to_the_end_are_refused(tmp_path, offsets):
    path = tmp_path / "t.npz"
    made = {"x·bytes": np.frombuffer(b"abc", np.uint8), "x·offsets": np.array(offsets, np.int64)}
    np.savez(path, **made)
    with pytest.raises(ResultError, match="offsets"):
        read_table(path)
