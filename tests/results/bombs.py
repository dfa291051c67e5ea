"""Small files that ask for gigabytes, made on the fly: each takes a folder and a file's stem.

SYNTHETIC: written to be refused.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N = 200_000
COPIES = 100  # one text, so often


def _entry(array: Any) -> bytes:
    sink = io.BytesIO()
    np.lib.format.write_array(sink, array, allow_pickle=False)
    return sink.getvalue()


def _header(shape: tuple[int, ...], descr: str = "<i8") -> bytes:
    sink = io.BytesIO()
    head = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(sink, head)
    return sink.getvalue()


def _npz(path: Path, entries: dict[str, bytes]) -> Path:
    path = path.with_suffix(".npz")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npz_shape(path: Path) -> Path:
    """An array that declares 10^12 numbers and holds none."""
    return _npz(path, {"a": _header((10**12,))})


def npz_offsets(path: Path) -> Path:
    """Texts whose offsets go to and fro: each is the whole."""
    offsets = np.tile(np.array([0, N]), 5000)
    data = np.full(N, 97, np.uint8)
    return _npz(path, {"t·bytes": _entry(data), "t·offsets": _entry(offsets)})


def npz_empty_texts(path: Path) -> Path:
    """Ten million texts of no length."""
    entries = {"t·bytes": _entry(np.zeros(0, np.uint8)), "t·offsets": _entry(np.zeros(10**7, int))}
    return _npz(path, entries)


def npz_zeros(path: Path) -> Path:
    """Half a gigabyte of zeros, truly declared."""
    path = path.with_suffix(".npz")
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as file,
    ):
        file.write(_header((1 << 26,)))
        for _ in range(1 << 9):
            file.write(bytes(1 << 20))
    return path


def npz_many(path: Path) -> Path:
    """More columns than any table."""
    return _npz(path, {f"c{i}": _entry(np.zeros(1)) for i in range(1000)})


def npz_twins(path: Path) -> Path:
    """One column, two contents."""
    path = path.with_suffix(".npz")
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for value in (0.0, 1.0):
            archive.writestr("a.npy", _entry(np.full(3, value)))
    return path


def npz_objects(path: Path) -> Path:
    """Objects, which would be a pickle."""
    return _npz(path, {"a": _header((1,), "|O") + b"\x80\x04N."})


def npz_wide_texts(path: Path) -> Path:
    """NumPy's own texts, each as wide as one likes."""
    return _npz(path, {"a": _entry(np.array(["x" * 1000] * 3))})


def _parquet(path: Path, table: Any, **options: Any) -> Path:
    import pyarrow.parquet as parquet

    path = path.with_suffix(".parquet")
    parquet.write_table(table, path, compression="zstd", **options)
    return path


def parquet_delta(path: Path) -> Path:
    """Texts written as differences: the same prefix again and again."""
    import pyarrow as pa

    table = pa.table({"t": ["a" * N] * COPIES})
    encoding = {"t": "DELTA_BYTE_ARRAY"}
    return _parquet(path, table, use_dictionary=False, column_encoding=encoding)


def parquet_dictionary(path: Path) -> Path:
    """One long text, named again and again."""
    import pyarrow as pa

    return _parquet(path, pa.table({"t": ["a" * N] * COPIES}))


def parquet_fixed(path: Path) -> Path:
    """Bytes of a fixed length by a dictionary."""
    import pyarrow as pa

    values = pa.array([b"a" * N] * COPIES, pa.binary(N))
    return _parquet(path, pa.table({"t": values}))


def parquet_runs(path: Path) -> Path:
    """Forty million equal numbers, of which one is written."""
    import pyarrow as pa

    index = pa.array(np.zeros(40_000_000, np.int8))
    column = pa.DictionaryArray.from_arrays(index, pa.array([7]))
    return _parquet(path, pa.table({"a": column}), store_schema=False)


def parquet_nested(path: Path) -> Path:
    """Lists of any length."""
    import pyarrow as pa

    return _parquet(path, pa.table({"a": [[1] * 1000] * 1000}))


def parquet_shape(path: Path) -> Path:
    """A column that says it has 10^12 axes."""
    import pyarrow as pa

    field = pa.field("a", pa.int64(), metadata={"shape": json.dumps([10**12, 10**12])})
    return _parquet(path, pa.Table.from_arrays([pa.array([1])], schema=pa.schema([field])))


def parquet_page(path: Path) -> Path:
    """A page that says it becomes two gigabytes; the footer knows nothing of it."""
    import pyarrow as pa

    made = _parquet(path, pa.table({"a": np.arange(2000.0)}), use_dictionary=False)
    data = made.read_bytes()
    head = data.index(b"\x15\x00\x15", 4) + 3  # page header: kind, then its length when inflated
    inflated, middle = _varint(data, head)
    deflated, end = _varint(data, middle + 1)
    grown = 5 - (middle - head)
    less = _as_varint(deflated - 2 * grown)  # zigzag: twice the bytes that the header grows by
    assert inflated and len(less) == end - middle - 1
    page = data[:head] + _as_varint(2**32 - 2) + data[middle : middle + 1] + less + data[end:]
    made.write_bytes(page)
    return made


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of Thrift's compact protocol, still zigzag, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        shift += 7
        if data[at - 1] < 128:
            return value, at


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


TABLES: dict[str, Callable[[Path], Path]] = {
    name: made
    for name, made in sorted(globals().items())
    if name.startswith(("npz_", "parquet_")) and callable(made)
}


def json_objects(path: Path) -> Path:
    """Four million empty objects."""
    path.write_bytes(b'{"scores": [' + b"{}," * 4_000_000 + b"{}]}")
    return path


def json_names(path: Path) -> Path:
    """Keys by the million, all different, in lists."""
    names = ",".join(f'"{i}":[[]]' for i in range(1_500_000))
    path.write_text(f"{{{names}}}")
    return path


def json_deep(path: Path) -> Path:
    """A hundred thousand lists inside each other."""
    path.write_text('{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    return path


def json_digits(path: Path) -> Path:
    """A number of a million digits."""
    path.write_text('{"a": ' + "9" * 1_000_000 + "}")
    return path


def sparse(path: Path) -> Path:
    """Ten gigabytes of nothing, which take no room on disk."""
    with path.open("wb") as file:
        file.truncate(10 << 30)
    return path


JSONS: dict[str, Callable[[Path], Path]] = {
    made.__name__: made for made in (json_objects, json_names, json_deep, json_digits, sparse)
}


def safetensors_length(path: Path) -> Path:
    """A header that says it has 2^60 bytes."""
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    return path


def safetensors_shape(path: Path) -> Path:
    """A tensor of 10^12 numbers in no bytes."""
    head = {"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 0]}}
    data = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(data)) + data)
    return path


def safetensors_overlap(path: Path) -> Path:
    """A thousand tensors that are all the same megabyte."""
    size = 1 << 20
    head = {
        f"t{i}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]} for i in range(1000)
    }
    data = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(data)) + data + bytes(size))
    return path


WEIGHTS: dict[str, Callable[[Path], Path]] = {
    made.__name__: made
    for made in (safetensors_length, safetensors_shape, safetensors_overlap, sparse)
}
