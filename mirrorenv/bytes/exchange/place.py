"""Where counts are exchanged and between which parties, read from one line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from mirrorenv.errors import ConfigError

__all__ = ["Place"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Place:
    """A broker, a run and its parties.

    Attributes:
        host: of the broker; this machine unless another is named.
        port: of the broker.
        encrypted: whether the connection is TLS, with the broker's certificate checked.
        user: name at the broker, or empty; its password stands in `MIRRORENV_MQTT_PASSWORD`.
        run: what the topics of this run begin with.
        me: this party.
        others: the other parties.
        authority: file of the certificate that the broker's is checked against; empty for those
            of this machine.
    """

    host: str
    port: int
    encrypted: bool
    user: str
    run: str
    me: str
    others: frozenset[str]
    authority: str = ""

    @classmethod
    def of(cls, address: str) -> Place:
        """Read `mqtt://USER@HOST:PORT/RUN?me=a&all=a,b`.

        Raises:
            ConfigError: naming what is wrong with it.
        """
        try:
            parts = urlsplit(address)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise ConfigError(f"exchange = {address!r} is no address: {error}") from error
        if parts.password:
            raise ConfigError(
                "exchange: a password does not belong into an address, which is written down with "
                "the run; put it into the environment variable MIRRORENV_MQTT_PASSWORD"
            )
        asked = parse_qs(parts.query)
        run = parts.path.strip("/")
        me = asked.get("me", [""])[0]
        everyone = asked.get("all", [""])[0].split(",")
        for what, name in (("the run", run), ("me", me), *(("all", one) for one in everyone)):
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"exchange = {address!r}: {what} must be 1 to 64 letters, digits, - or _, as "
                    "in mqtt://127.0.0.1:1883/RUN?me=a&all=a,b"
                )
        if me not in everyone or len(set(everyone)) != len(everyone) or len(everyone) < 2:
            raise ConfigError(
                f"exchange = {address!r}: `all` must name every party once, `me` ({me}) among them"
            )
        return cls(
            parts.hostname or "127.0.0.1",
            port,
            parts.scheme == "mqtts",
            unquote(parts.username or ""),
            run,
            me,
            frozenset(everyone) - {me},
            asked.get("ca", [""])[0],
        )
