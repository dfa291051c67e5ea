"""Tables of numbers and texts on disk: Parquet with page checksums where pyarrow is installed, npz
where it is not.

A table is a dictionary of columns that share their first axis. A column is a NumPy array of numbers
or booleans with any further axes, or a list of texts. Both forms hold the same table, and neither
can hold a pickle: npz files are read with `allow_pickle=False`, and texts are stored as UTF-8
bytes with offsets.

Shape legend: R rows.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import MissingExtraError, ResultError, require
from mirrorenv.results.runs.files import atomic_write_bytes, parse_json

__all__ = [
    "Column",
    "Form",
    "Table",
    "num_rows",
    "read_table",
    "select",
    "table_file",
    "write_table",
]

Column = npt.NDArray[Any] | list[str]
Table = dict[str, Column]
Form = Literal["auto", "parquet", "npz"]

MAX_BYTES = 1 << 28  # of one table in memory: what is larger was not made to be sent around
MAX_COLUMNS = 512
_TEXT = 64  # bytes of an empty text in memory
# how npz spells a column of texts
_BYTES = "\N{MIDDLE DOT}bytes"
_OFFSETS = "\N{MIDDLE DOT}offsets"


def num_rows(table: Mapping[str, Column]) -> int:
    """R.

    Raises:
        ResultError: if there is no column, or two columns differ in length.
    """
    lengths = {name: len(column) for name, column in table.items()}
    if not lengths or len(set(lengths.values())) != 1:
        raise ResultError(f"a table needs columns of one length, got {lengths}")
    return next(iter(lengths.values()))


def select(table: Mapping[str, Column], rows: npt.NDArray[Any]) -> Table:
    """The rows that an index or a mask picks, in its order."""
    chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    picked: Table = {}
    for name, column in table.items():
        if isinstance(column, np.ndarray):
            picked[name] = column[chosen]
        else:
            picked[name] = [column[int(row)] for row in chosen]
    return picked


def table_file(folder: Path, stem: str) -> Path | None:
    """Path of a table in either form; None if there is none.

    Raises:
        ResultError: if it is there in both forms, of which one must be wrong.
    """
    found = [
        path for path in (folder / f"{stem}.parquet", folder / f"{stem}.npz") if path.is_file()
    ]
    if len(found) > 1:
        raise ResultError(f"{folder} holds {stem} twice, as Parquet and as npz; remove one")
    return found[0] if found else None


def write_table(folder: Path, stem: str, table: Mapping[str, Column], form: Form = "auto") -> Path:
    """Write a table under `<stem>.parquet` or `<stem>.npz`, whole or not at all.

    Args:
        folder: an existing folder.
        stem: name of the file without its ending.
        table: columns of one length; arrays of numbers or booleans, or lists of texts.
        form: `"auto"` is Parquet if pyarrow is installed.

    Raises:
        ResultError: if a column is of another kind or the lengths differ.
        MissingExtraError: if Parquet is asked for and pyarrow is not installed.
        RunFolderError: if the disk refuses.
    """
    num_rows(table)
    for name, column in table.items():
        if isinstance(column, np.ndarray) and (
            column.dtype.kind not in "biuf" or 0 in column.shape[1:]
        ):
            raise ResultError(
                f"{stem}: column '{name}' is {column.dtype} of shape {column.shape}; tables hold "
                "numbers"
            )
    if form == "auto":
        form = "parquet" if find_spec("pyarrow") else "npz"
    try:
        data = _to_parquet(table) if form == "parquet" else _to_npz(table)
    except UnicodeEncodeError as error:
        raise ResultError(
            f"{stem}: a text is no valid Unicode ({error}); write it without lone surrogates"
        ) from error
    return atomic_write_bytes(folder / f"{stem}.{form}", data)


def read_table(path: Path) -> Table:
    """Read a table that `write_table` wrote, or anybody else.

    Raises:
        ResultError: if it is missing, damaged, larger than 256 mebibytes, or holds anything but
            numbers and texts.
        MissingExtraError: if it is Parquet and pyarrow is not installed.
    """
    try:
        _check_size(path.stat().st_size)
        with path.open("rb") as file:
            table = _from_parquet(file) if path.suffix == ".parquet" else _from_npz(file)
        num_rows(table)
    except MissingExtraError:
        raise
    except MemoryError as error:
        raise ResultError(
            f"{path} needs more memory than there is; no table of ours does"
        ) from error
    except Exception as error:  # a damaged file can fail in the decoder in any way
        raise ResultError(
            f"{path} cannot be read ({error}); get a fresh copy of the folder"
        ) from error
    return table


def _to_parquet(table: Mapping[str, Column]) -> bytes:
    pa = require("pyarrow", "data")
    parquet = require("pyarrow.parquet", "data")
    fields = []
    arrays = []
    for name, column in table.items():
        if isinstance(column, list):
            encoded = [text.encode("utf-8") for text in column]
            array = pa.array(encoded, pa.binary()).cast(pa.string())
            shape = ()
        else:
            shape = column.shape[1:]
            flat = pa.array(np.ascontiguousarray(column).reshape(-1))
            array = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape)) if shape else flat
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata={"shape": json.dumps(shape)}))
    sink = io.BytesIO()
    made = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    parquet.write_table(
        made, sink, compression="zstd", use_dictionary=False, write_page_checksum=True
    )
    return sink.getvalue()


def _from_parquet(file: Any) -> Table:
    parquet = require("pyarrow.parquet", "data")
    opened = parquet.ParquetFile(file, page_checksum_verification=True)
    _check_columns(opened.metadata.num_columns)
    for field in opened.schema_arrow:
        _check_type(field)
    groups = [opened.metadata.row_group(i) for i in range(opened.metadata.num_row_groups)]
    _check_size(
        sum(_decoded(group.column(i)) for group in groups for i in range(group.num_columns))
    )
    found = opened.read(use_threads=False).combine_chunks()
    table: Table = {}
    for name in found.column_names:
        column = found.column(name).combine_chunks()
        field = found.schema.field(name)
        if column.null_count:
            raise ResultError(f"column '{name}' has missing values")
        shape = _shape_of(field)
        if str(field.type) in ("string", "large_string"):
            table[name] = column.to_pylist()
            continue
        flat = column.flatten() if shape else column
        values = flat.to_numpy(zero_copy_only=False)
        if values.dtype.kind not in "biuf":
            raise ResultError(f"column '{name}' holds {field.type}, neither numbers nor texts")
        table[name] = values.reshape((len(found), *shape))
    return table


_NUMBERS = ("bool", "int", "uint", "halffloat", "float", "double")


def _check_type(field: Any) -> None:
    """Whether a column is of numbers, of texts, or of lists of numbers of one length: what else
    there is can be small on disk and anything in memory."""
    kind = str(field.type)
    inner = str(field.type.value_type) if kind.startswith("fixed_size_list") else kind
    if kind not in ("string", "large_string") and inner.rstrip("0123456789") not in _NUMBERS:
        raise ResultError(
            f"column '{field.name[:80]}' holds {kind[:80]}, neither numbers nor texts"
        )


def _shape_of(field: Any) -> tuple[int, ...]:
    """The further axes of a column, as its metadata say."""
    shape = parse_json((field.metadata or {}).get(b"shape", b"[]").decode("utf-8"))
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ResultError(f"column '{field.name}': its shape is no list of lengths")
    return tuple(shape)


def _decoded(chunk: Any) -> int:
    """At most how many bytes a column chunk becomes. Runs and dictionaries decode to far more than
    they take."""
    if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
        raise ResultError("it holds bytes of a fixed length, neither numbers nor texts")
    if chunk.physical_type == "BYTE_ARRAY" and any(
        "DICTIONARY" in encoding or "DELTA" in encoding for encoding in chunk.encodings
    ):
        raise ResultError(
            "its texts are written with a dictionary or as differences; write them plain"
        )
    each = _TEXT if chunk.physical_type == "BYTE_ARRAY" else 8
    return int(max(chunk.total_uncompressed_size, each * chunk.num_values))


def _to_npz(table: Mapping[str, Column]) -> bytes:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, column in table.items():
        if isinstance(column, list):
            texts = [text.encode("utf-8") for text in column]
            arrays[name + _BYTES] = np.frombuffer(b"".join(texts), np.uint8)
            arrays[name + _OFFSETS] = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        else:
            arrays[name] = column
    sink = io.BytesIO()
    np.savez_compressed(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def _from_npz(file: Any) -> Table:
    with zipfile.ZipFile(file) as archive:
        _check_columns(len(archive.infolist()))
        if len(set(archive.namelist())) < len(archive.namelist()):
            raise ResultError("a column is in it twice")
        _check_size(sum(entry.file_size for entry in archive.infolist()))
        for entry in archive.infolist():
            _check_declared(archive, entry)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    table: Table = {}
    for name, array in arrays.items():
        if name.endswith(_OFFSETS):
            continue
        if array.dtype.kind not in "biuf":
            raise ResultError(f"column '{name}' holds {array.dtype}, neither numbers nor texts")
        if name.endswith(_BYTES):
            stem = name.removesuffix(_BYTES)
            data = array.tobytes()
            ends = _checked_offsets(arrays.get(stem + _OFFSETS), len(data), stem)
            pairs = pairwise(ends)
            table[stem] = [data[start:end].decode("utf-8") for start, end in pairs]
        else:
            table[name] = array
    return table


def _check_declared(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """An array's header may not declare more than its file holds."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise ResultError(f"'{entry.filename}' declares {shape}, more than its file holds")


def _checked_offsets(offsets: Column | None, length: int, stem: str) -> list[int]:
    """Where texts begin and end: from 0, rising, to the end."""
    if not isinstance(offsets, np.ndarray) or offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise ResultError(f"column '{stem}' of texts has no offsets")
    _check_size(length + _TEXT * len(offsets))
    ends: list[int] = offsets.tolist()
    rising = all(start <= end for start, end in pairwise(ends))
    if not ends or ends[0] != 0 or ends[-1] != length or not rising:
        raise ResultError(f"column '{stem}': offsets of texts must rise from 0 to {length}")
    return ends


def _check_columns(count: int) -> None:
    if count > MAX_COLUMNS:
        raise ResultError(
            f"it has {count:,} columns; tables of a result have {MAX_COLUMNS} at most"
        )


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ResultError(
            f"it would need {size:,} bytes of memory; tables of a result hold at most {MAX_BYTES:,}"
        )
