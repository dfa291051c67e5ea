"""Counts over MQTT, with a barrier in every round.

Each party says its counts of a round on its own topic and waits until it has heard all others of
that round. While it waits it asks every second, and whoever is asked says its last two rounds
again: a party that is one round behind still needs the one before. So a broker that dies and comes
back, with nothing remembered, costs time and no round.

Shape legend: B rows.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorenv.bytes.exchange.message import from_message, to_message
from mirrorenv.bytes.exchange.place import Place
from mirrorenv.errors import WorldError, require
from mirrorenv.mirror.arrays import Floats64

if TYPE_CHECKING:
    import paho.mqtt.client as paho

__all__ = ["PASSWORD", "MqttExchange"]

PASSWORD = "MIRRORENV_MQTT_PASSWORD"
_AGAIN_S = 1.0
_KEPT = 2  # rounds that are said again
_OPENED: defaultdict[tuple[str, str], itertools.count[int]] = defaultdict(itertools.count)


class MqttExchange:
    """One party of an exchange.

    Worlds of one process that exchange in the same run are numbered in the order in which they are
    opened, and meet the worlds of the same number elsewhere: all parties run the same command.

    Args:
        place: broker, run and parties.
        patience: seconds that a round may take.

    Raises:
        MissingExtraError: if paho is not installed.
        WorldError: if no broker answers.
    """

    def __init__(self, place: Place, *, patience: float = 120.0) -> None:
        require("paho.mqtt.client", "bytes")
        self.place = place
        self.patience = patience
        number = next(_OPENED[(place.run, place.me)])
        self._topics = f"mirrorenv/{place.run}/{number}"
        self._heard: dict[tuple[str, int], Floats64] = {}
        self._news = threading.Condition()
        self._said: dict[int, Floats64] = {}
        self._round = 0
        self._refusal = ""
        self.refused = 0
        """How many messages on our topics were none of ours."""
        self._client = self._connected()

    def share(self, counts: Floats64) -> Floats64:
        """See :meth:`CountExchange.share`."""
        now = self._round
        self._round += 1
        self._said[now] = counts
        self._said.pop(now - _KEPT, None)
        self._say(now, counts)
        deadline = time.monotonic() + self.patience
        wanted = {(party, now) for party in self.place.others}
        while True:
            with self._news:
                if self._news.wait_for(lambda: wanted <= self._heard.keys(), _AGAIN_S):
                    told = {party: self._heard[party, now] for party, _ in wanted}
                    self._heard = {key: one for key, one in self._heard.items() if key[1] > now}
                    break
            if time.monotonic() > deadline:
                raise self._too_late({party for party, _ in wanted - self._heard.keys()})
            self._say(now, counts, asks=True)
        total = np.zeros_like(counts)
        for party, each in told.items():
            if each.shape != counts.shape:
                raise WorldError(
                    f"exchange {self._topics}: {party} plays {len(each)} episodes at once and "
                    f"{self.place.me} {len(counts)}; give both the same settings"
                )
            total += each
        return total

    def close(self) -> None:
        """See :meth:`CountExchange.close`."""
        self._client.loop_stop()
        self._client.disconnect()

    # -- talking to the broker --------------------------------------------------------------------

    def _connected(self) -> paho.Client:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        place = self.place
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.reconnect_delay_set(min_delay=1, max_delay=2)
        if place.encrypted:
            try:
                client.tls_set(ca_certs=place.authority or None)
            except (OSError, ValueError) as error:
                raise WorldError(
                    f"exchange: {place.authority} is no certificate ({error})"
                ) from error
        if place.user:
            client.username_pw_set(place.user, os.environ.get(PASSWORD))
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        try:
            client.connect(place.host, place.port, keepalive=20)
        except (OSError, ValueError) as error:
            raise WorldError(
                f"exchange: no broker answers at {place.host}:{place.port} ({error}); start one "
                "there (mosquitto, or python -m mirrorenv.bytes.exchange.broker), or leave "
                "exchange empty"
            ) from error
        client.loop_start()
        return client

    def _on_connect(self, client: paho.Client, _: object, __: object, code: Any, *___: Any) -> None:
        if code.is_failure:
            self._refusal = str(code)
            return
        self._refusal = ""
        client.subscribe(f"{self._topics}/+", qos=1)
        self._say_all()

    def _on_message(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        party = message.topic.rpartition("/")[2]
        found = from_message(bytes(message.payload))
        if found is None or party not in self.place.others:
            self.refused += party != self.place.me
            return
        with self._news:
            # a late copy of a round that is done is no news
            if self._round - 1 <= found.number <= self._round + 1:
                self._heard[(party, found.number)] = found.counts
                self._news.notify_all()
        if found.asks:
            self._say_all()

    def _say_all(self) -> None:
        for number, counts in sorted(self._said.copy().items()):
            self._say(number, counts)

    def _say(self, number: int, counts: Floats64, *, asks: bool = False) -> None:
        if self._client_is_up():
            message = to_message(number, counts, asks=asks)
            self._client.publish(f"{self._topics}/{self.place.me}", message, qos=1)

    def _client_is_up(self) -> bool:
        return hasattr(self, "_client") and self._client.is_connected()

    def _too_late(self, missing: set[str]) -> WorldError:
        place = self.place
        where = f"the broker at {place.host}:{place.port}"
        why = f"{where} is there: is that party running, in the same run and with the same command?"
        if not self._client_is_up():
            refused = f" (it said: {self._refusal})" if self._refusal else ""
            why = f"{where} is gone or refuses us{refused}"
        return WorldError(
            f"exchange {self._topics}: {', '.join(sorted(missing))} was not heard in round "
            f"{self._round - 1} for {self.patience:g} s; {why}"
        )


def _without_delay(_: object, __: object, sock: Any) -> None:
    """Small messages leave at once: with Nagle's delay a round took 44 ms, without it 1.4."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
