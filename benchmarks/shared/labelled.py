"""Labelled data for studies of classifiers: embedded, installed by the system, or in a folder that
the user names. Nothing is downloaded, and no file is unpickled.

Formats are read as their makers publish them: IDX files (MNIST, Fashion-MNIST), CIFAR-10's binary
version, and the folder of reviews called aclImdb.

Shape legend: n examples, D features.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirrorenv.errors import ConfigError, MissingExtraError

__all__ = ["FASHION", "Labelled", "digits", "fashion", "read_folder"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""
WORDS = 2000
"""Words that a bag of words counts: the most frequent of the training texts."""


@dataclass(frozen=True)
class Labelled:
    """A task of classification.

    Attributes:
        name: as tables show it.
        inputs: (n, D) float32 in [-1, 1]; word frequencies for texts.
        labels: (n,) int64.
        test_inputs: (n', D).
        test_labels: (n',).
        classes: how many.
    """

    name: str
    inputs: Floats
    labels: Ints
    test_inputs: Floats
    test_labels: Ints
    classes: int

    def first(self, images: int) -> Labelled:
        """The same task with at most so many training examples; 0 for all."""
        if not images:
            return self
        return Labelled(
            self.name,
            self.inputs[:images],
            self.labels[:images],
            self.test_inputs,
            self.test_labels,
            self.classes,
        )


def digits() -> Labelled:
    """scikit-learn's 1,797 handwritten digits of 8 x 8: 1,347 to learn from, 450 to test on.

    Raises:
        MissingExtraError: if scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits come with scikit-learn: pip install '.[studies]'"
        ) from error
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    scaled = (images[order] / 8.0 - 1.0).astype(np.float32)
    known = labels[order].astype(np.int64)
    return Labelled("digits", scaled[:1347], known[:1347], scaled[1347:], known[1347:], 10)


def fashion() -> Labelled:
    """Fashion-MNIST as Debian installs it.

    Raises:
        ConfigError: if it is not installed.
    """
    if not FASHION.is_dir():
        raise ConfigError(
            f"no folder {FASHION}: `make data-fashion` installs Debian's package "
            "dataset-fashion-mnist; elsewhere, give the folder of its four files with --data"
        )
    return read_folder(FASHION, name="fashion-mnist")


def read_folder(folder: Path, *, name: str = "") -> Labelled:
    """What a folder holds, if it is one of the three formats.

    Args:
        folder: with IDX files, CIFAR-10's .bin files, or aclImdb's train/ and test/.
        name: for tables; the format's own if not given.

    Raises:
        ConfigError: if it is none of them, saying what was looked for.
    """
    if not folder.is_dir():
        raise ConfigError(f"--data {folder}: there is no such folder")
    for reader in READERS:
        found = reader(folder)
        if found is not None:
            return Labelled(name or found.name, *_rest(found))
    inside = sorted(path.name for path in folder.iterdir())[:6]
    raise ConfigError(
        f"--data {folder} holds none of the formats that are read: four IDX files "
        "(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each also as .gz), "
        "CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin, or aclImdb's "
        f"train/pos, train/neg, test/pos, test/neg. It holds: {', '.join(inside) or 'nothing'}"
    )


def _rest(found: Labelled) -> tuple[Floats, Ints, Floats, Ints, int]:
    return found.inputs, found.labels, found.test_inputs, found.test_labels, found.classes


def _idx(folder: Path) -> Labelled | None:
    files = []
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            file = _either(folder, f"{part}-{kind}-ubyte")
            if file is None:
                return None
            files.append(file)
    images, labels, test_images, test_labels = (read_idx(file) for file in files)
    for one, other, file in ((images, labels, files[0]), (test_images, test_labels, files[2])):
        if len(one) != len(other):
            raise ConfigError(f"{file}: {len(one)} images and {len(other)} labels")
    return Labelled(
        "mnist form",
        _pixels(images),
        labels.astype(np.int64),
        _pixels(test_images),
        test_labels.astype(np.int64),
        int(labels.max()) + 1,
    )


def _either(folder: Path, name: str) -> Path | None:
    for candidate in (name, name + ".gz", name.replace("-idx", ".idx")):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def read_idx(file: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of bytes (LeCun's format of MNIST).

    Args:
        file: plain or .gz.

    Raises:
        ConfigError: if it is no such file, or holds more or less than its header says.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise ConfigError(f"{file}: cannot be read ({error})") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ConfigError(f"{file}: no IDX file of bytes (it must begin with 00 00 08)")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4) if len(content) >= 4 + 4 * axes else []
    size = int(np.prod(shape, dtype=np.int64))
    if len(content) != 4 + 4 * axes + size:
        raise ConfigError(f"{file}: its header says {size} bytes of data, and it is cut or longer")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(tuple(map(int, shape)))


def _pixels(images: NDArray[np.uint8]) -> Floats:
    return (images.reshape(len(images), -1) / 127.5 - 1.0).astype(np.float32)


def _cifar(folder: Path) -> Labelled | None:
    for inside in (folder, folder / "cifar-10-batches-bin"):
        parts = [inside / f"data_batch_{number}.bin" for number in range(1, 6)]
        if all(part.is_file() for part in parts) and (inside / "test_batch.bin").is_file():
            rows = np.concatenate([_cifar_rows(part) for part in parts])
            test = _cifar_rows(inside / "test_batch.bin")
            return Labelled(
                "cifar-10",
                _pixels(rows[:, 1:]),
                rows[:, 0].astype(np.int64),
                _pixels(test[:, 1:]),
                test[:, 0].astype(np.int64),
                10,
            )
    return None


def _cifar_rows(file: Path) -> NDArray[np.uint8]:
    content = np.fromfile(file, np.uint8)
    if len(content) == 0 or len(content) % 3073:
        raise ConfigError(f"{file}: {len(content)} bytes are no rows of 1 + 3072")
    return content.reshape(-1, 3073)


def _reviews(folder: Path) -> Labelled | None:
    for inside in (folder, folder / "aclImdb"):
        if all((inside / part / side).is_dir() for part in PARTS for side in SIDES):
            (texts, labels), (test_texts, test_labels) = (_texts(inside / p) for p in PARTS)
            words = vocabulary(texts)
            return Labelled(
                "imdb, word frequencies",
                word_frequencies(texts, words),
                labels,
                word_frequencies(test_texts, words),
                test_labels,
                2,
            )
    return None


PARTS = ("train", "test")
SIDES = ("neg", "pos")


def _texts(folder: Path) -> tuple[list[str], Ints]:
    texts = []
    labels = []
    for label, side in enumerate(SIDES):
        for file in sorted((folder / side).glob("*.txt")):
            texts.append(file.read_text("utf-8", errors="replace"))
            labels.append(label)
    if not texts:
        raise ConfigError(f"{folder}: no .txt file in neg/ and pos/")
    order = np.random.default_rng(0).permutation(len(texts))  # a first part holds both classes
    return [texts[i] for i in order], np.asarray(labels, np.int64)[order]


def _split(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def vocabulary(texts: Iterable[str]) -> dict[str, int]:
    """The most frequent words, each with its column."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_split(text))
    return {word: column for column, (word, _) in enumerate(counts.most_common(WORDS))}


def word_frequencies(texts: list[str], words: dict[str, int]) -> Floats:
    """(n, D): how often each word occurs, the square root of its share of the text."""
    found = np.zeros((len(texts), len(words)), np.float32)
    for row, text in enumerate(texts):
        for word in _split(text):
            if word in words:
                found[row, words[word]] += 1
    return np.sqrt(found / np.maximum(found.sum(1, keepdims=True), 1))


READERS: tuple[Callable[[Path], Labelled | None], ...] = (_idx, _cifar, _reviews)


def summary(task: Labelled) -> dict[str, Any]:
    """What a table says of the data."""
    return {
        "name": task.name,
        "train": len(task.inputs),
        "test": len(task.test_inputs),
        "features": task.inputs.shape[1],
        "classes": task.classes,
    }
