"""What is exchanged between processes: how often each byte was said in a round.

Agents of one process see each other's counts anyway. An exchange adds those of other processes, the
parties; a round ends when every party has been heard, so that training repeats itself.

Shape legend: B rows.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Alone", "CountExchange", "open_exchange"]


class CountExchange(Protocol):
    """Tells and hears counts."""

    def share(self, counts: Floats64) -> Floats64:
        """Tell the counts of this round, and wait for those of every other party.

        Args:
            counts: (B, 256) of all agents here, whole numbers.

        Returns:
            (B, 256), the sum over the other parties.

        Raises:
            WorldError: if a party is not heard in time, or has another number of rows.
        """

    def close(self) -> None:
        """Say nothing further."""


class Alone:
    """No other process: the default."""

    def share(self, counts: Floats64) -> Floats64:
        """See :meth:`CountExchange.share`: nothing is heard."""
        return np.zeros_like(counts)

    def close(self) -> None:
        """Nothing is held open."""


def open_exchange(address: str) -> CountExchange:
    """The exchange at an address.

    Args:
        address: empty for none, or `mqtt://HOST:PORT/RUN?me=a&all=a,b`: RUN names this run's
            topics, `me` this party and `all` every party. Without HOST it is this machine;
            `mqtts` is encrypted, and `&ca=FILE` names the authority of a broker of one's own; a
            user's name stands before HOST and `@`.

    Raises:
        ConfigError: if it is no such address.
        MissingExtraError: if paho is not installed.
        WorldError: if no broker answers there.
    """
    if not address:
        return Alone()
    if not address.startswith(("mqtt://", "mqtts://")):
        raise ConfigError(
            f"exchange = {address!r}: leave it empty, or write mqtt://HOST:PORT/RUN?me=a&all=a,b"
        )
    from mirrorenv.bytes.exchange.mqtt import MqttExchange
    from mirrorenv.bytes.exchange.place import Place

    return MqttExchange(Place.of(address))
