"""What a byte world is told to do, checked: one switch for each mechanism."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.recollection import (
    EpisodeRecollection,
    Recollection,
    SharedRecollection,
)
from mirrorenv.bytes.sources import ByteSource, Exchanged, FromCapture, Live, Seeded
from mirrorenv.errors import ConfigError
from mirrorenv.strict import StrictModel

__all__ = ["SightSettings"]


class SightSettings(StrictModel):
    """What an agent is shown, and how it is kept and drawn."""

    see_own: bool = True
    """Its own last utterance."""
    memories: int = Field(default=2, ge=0, le=16)
    """k, memories most like its last utterance."""
    memory_path: str = ""
    """A file that episodes and processes share, or a Qdrant server, http://HOST:6333#COLLECTION."""
    embedding: Literal["ngrams", "ids"] = "ngrams"
    """How memories are found."""
    entropy_bytes: int = Field(default=16, ge=0, le=4096)
    """Bytes of chance."""
    entropy_source: Literal["seeded", "live"] = "seeded"
    """Where they come from."""
    network_bytes: int = Field(default=16, ge=0, le=4096)
    """Bytes of the network."""
    network: str = "exchange"
    """What the agents sent each other, or the path of a pcap file."""
    see_peers: bool = True
    """Counts of the bytes that the others said last, taken together."""
    exchange: str = ""
    """Counts of agents in other processes: mqtt://HOST:PORT/RUN?me=a&all=a,b."""
    judge: str = ""
    """Who judges where `judge` is paid: recorded:FILE, local, or http://HOST/v1#MODEL."""
    execute: bool = True
    """Whether utterances are executed, and what they did is seen."""
    instructions: int = Field(default=256, ge=1, le=100_000)
    """Limit of each program."""
    instruction_set: Literal["x86-64", "riscv64"] = "x86-64"
    """The language that utterances are executed in."""
    decay: float = Field(default=0.9, ge=0, le=1)
    """What the counts of earlier steps are worth after another one."""

    def limits(self, length: int) -> Limits:
        """Of programs of `length` bytes.

        Raises:
            ConfigError: for a length that is no program.
        """
        if not 2 <= length <= 1024:
            raise ConfigError(f"ByteMeditation: length must be 2 to 1024 bytes, got {length}")
        return Limits(instructions=self.instructions, program_bytes=length)

    def recollection(self, length: int) -> Recollection:
        """Where utterances of `length` bytes are remembered."""
        if self.memory_path:
            return SharedRecollection(self.memory_path, length, self.embedding)
        return EpisodeRecollection(self.embedding)

    def chance(self) -> ByteSource:
        """Where the bytes of chance come from."""
        return Live() if self.entropy_source == "live" else Seeded()

    def traffic(self) -> ByteSource:
        """Where the bytes of the network come from."""
        if self.network == "exchange":
            return Exchanged()
        return FromCapture(Path(self.network))
