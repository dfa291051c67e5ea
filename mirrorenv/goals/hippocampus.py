"""What an agent keeps of the episode it is in: where it was, and what it met that stood out.

Two memories. A ring of the last places, as place codes; and an episodic store, in which what stood
out is kept under a tag. The cortex, a hierarchy that knows ways, reads both as codes of places and
turns them into nodes it can go to.

Shapes: V nodes, D numbers of a code, P coordinates.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError
from mirrorenv.memory.base import EpisodicStore, Memories, Scope
from mirrorenv.memory.ring import RingBuffer, place_code
from mirrorenv.mirror.arrays import Floats32

__all__ = ["Hippocampus", "PlaceBook"]

_TAG = 16
_LIKE = 1e-3
_LOOK = 8


class PlaceBook:
    """Codes of the places the cortex knows: the way from coordinates to nodes and back.

    Args:
        places: (V, P) coordinates of the nodes.
        width: of a place cell's bump, in units of the coordinates.
    """

    def __init__(self, places: npt.ArrayLike, width: float = 0.5) -> None:
        self._places = np.asarray(places, np.float64)
        self._width = width
        self._codes = place_code(self._places, self._places, width)  # (V, D = V)

    @property
    def dimensions(self) -> int:
        """D."""
        return len(self._places)

    def encode(self, places: npt.ArrayLike) -> Floats32:
        """Codes (..., D) of coordinates (..., P)."""
        return place_code(places, self._places, self._width)

    def decode(self, code: Floats32) -> int:
        """The node whose code is nearest to one (D,)."""
        return int(np.square(self._codes - code).sum(axis=1).argmin())


class Hippocampus:
    """The memory of one agent.

    Args:
        book: of the places.
        store: an open store of `Hippocampus.width(book)` dimensions, or None to do without: nothing
            is then recalled by a tag.
        recent: places the ring holds; 0 to do without.
        forget: whether the ring is emptied when the goal changes, and a new context begins.
        agent: whose memories these are, in a store that several share.

    Raises:
        ConfigError: if the store has other dimensions.
    """

    def __init__(
        self,
        book: PlaceBook,
        store: EpisodicStore | None,
        *,
        recent: int = 64,
        forget: bool = False,
        agent: int = 0,
    ) -> None:
        if store is not None and store.dimensions != self.width(book):
            raise ConfigError(
                f"a hippocampus of {book.dimensions} places needs a store of {self.width(book)} "
                f"dimensions, this one has {store.dimensions}"
            )
        self.book = book
        self.store = store
        self.ring = RingBuffer(recent, book.dimensions) if recent else None
        self.forget = forget
        self.agent = agent
        self.episode = 0
        self._step = 0
        self._goal: int | None = None

    @staticmethod
    def width(book: PlaceBook) -> int:
        """Dimensions of the store: a tag's code and a place's."""
        return _TAG + book.dimensions

    def begin(self, episode: int) -> None:
        """A new episode: what was met in earlier ones is not found any more."""
        self.episode = episode
        self._step = 0
        self._goal = None
        if self.ring is not None:
            self.ring.clear()

    def pursue(self, goal: int) -> None:
        """Tell it the goal; a change of it empties the ring, if it is to forget."""
        if self.forget and self._goal is not None and goal != self._goal and self.ring is not None:
            self.ring.clear()
        self._goal = goal

    def visit(self, place: npt.ArrayLike) -> None:
        """Be at coordinates (P,)."""
        self._step += 1
        if self.ring is not None:
            self.ring.append(self.book.encode(place))

    def tag(self, name: str, place: npt.ArrayLike) -> None:
        """Keep the coordinates (P,) of what stood out under a name."""
        if self.store is None:
            return
        code = self.book.encode(place)
        self.store.add(
            Memories(
                vectors=np.concatenate([self._label_code(name), code])[None],
                contents=[self._label(name) + code.tobytes()],
                agents=np.array([self.agent]),
                episodes=np.array([self.episode]),
                steps=np.array([self._step]),
            )
        )

    def recall(self, name: str) -> Floats32 | None:
        """The code (D,) of the place kept under a name in this episode, or None."""
        if self.store is None or not len(self.store):
            return None
        query = np.concatenate([self._label_code(name), np.zeros(self.book.dimensions, np.float32)])
        found = self.store.search(query[None], _LOOK, Scope(agents=frozenset([self.agent])))
        label = self._label(name)
        for content in found.contents[0]:  # codes of labels are near to orthogonal, not quite
            if content.startswith(label):
                return np.frombuffer(content[len(label) :], np.float32)
        return None

    def _label(self, name: str) -> bytes:
        return f"{self.episode}/{name}:".encode()

    def _label_code(self, name: str) -> Floats32:
        """(16,) a direction for every name in every episode, of length 4: it weighs more than a
        place."""
        drawn = np.random.default_rng(zlib.crc32(self._label(name))).normal(size=_TAG)
        return (4.0 * drawn / np.linalg.norm(drawn)).astype(np.float32)

    def been_at(self, code: Floats32) -> bool:
        """Whether the ring holds a place (D,)."""
        if self.ring is None or not len(self.ring):
            return False
        gaps = np.square(self.ring.read() - code).sum(axis=1)
        return bool((gaps < _LIKE).any())
