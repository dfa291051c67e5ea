"""Counts that processes exchange: all of them, round by round, whatever the broker does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mirrorenv
from mirrorenv.bytes.exchange.base import Alone, open_exchange
from mirrorenv.bytes.exchange.broker import free_port, local_broker
from mirrorenv.bytes.exchange.message import from_message, to_message
from mirrorenv.bytes.exchange.mqtt import MqttExchange
from mirrorenv.bytes.exchange.place import Place
from mirrorenv.errors import ConfigError, WorldError

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed: pip install paho-mqtt")


@pytest.fixture(scope="module")
def broker() -> Iterator[int]:
    port = free_port()
    try:
        with local_broker(port):
            yield port
    except WorldError as error:
        pytest.skip(str(error))


def address(port: int, run: str, me: str, everyone: str = "a,b") -> str:
    return f"mqtt://127.0.0.1:{port}/{run}?me={me}&all={everyone}"


def counts_of(party: int, number: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng([party, number]).integers(0, 50, (3, 256)).astype(float)


def exchanged(
    port: int, run: str, rounds: int, between: Callable[[int], None] = lambda _: None
) -> list[list[np.ndarray[Any, Any]]]:
    """What parties a and b heard in each round; `between` is called by a before its rounds."""

    def play(party: int) -> list[np.ndarray[Any, Any]]:
        exchange = MqttExchange(Place.of(address(port, run, "ab"[party])))
        heard = []
        for number in range(rounds):
            if party == 0:
                between(number)
            heard.append(exchange.share(counts_of(party, number)))
        last.wait(60)
        exchange.close()
        return heard

    last = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(play, (0, 1)))


def test_every_round_is_heard_whole_by_everyone(broker: int) -> None:
    first, second = exchanged(broker, "plain", 20)
    for number in range(20):
        np.testing.assert_array_equal(first[number], counts_of(1, number))
        np.testing.assert_array_equal(second[number], counts_of(0, number))


def test_a_broker_that_dies_and_comes_back_costs_no_round() -> None:
    port = free_port()
    brokers = [local_broker(port), local_broker(port)]
    try:
        brokers[0].__enter__()
    except WorldError as error:
        pytest.skip(str(error))

    def between(number: int) -> None:
        if number == 3:
            brokers[0].__exit__(None, None, None)
        if number == 3:
            brokers[1].__enter__()

    try:
        first, second = exchanged(port, "dies", 6, between)
    finally:
        brokers[1].__exit__(None, None, None)
    for number in range(6):
        np.testing.assert_array_equal(first[number], counts_of(1, number))
        np.testing.assert_array_equal(second[number], counts_of(0, number))


def test_a_party_that_never_comes_is_named(broker: int) -> None:
    exchange = MqttExchange(Place.of(address(broker, "alone", "a")), patience=0.2)
    with pytest.raises(WorldError, match=r"b was not heard in round 0.*is there"):
        exchange.share(counts_of(0, 0))
    exchange.close()


def test_a_dead_broker_is_said_with_its_address() -> None:
    port = free_port()
    with pytest.raises(WorldError, match=f"no broker answers at 127.0.0.1:{port}"):
        open_exchange(address(port, "dead", "a"))


def test_parties_of_other_sizes_are_told_so(broker: int) -> None:
    def play(party: int) -> None:
        exchange = MqttExchange(Place.of(address(broker, "sizes", "ab"[party])))
        try:
            exchange.share(np.zeros((2 + party, 256)))
        finally:
            last.wait(60)
            exchange.close()

    last = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(play, party) for party in (0, 1)]
        for one in found:
            with pytest.raises(WorldError, match="the same settings"):
                one.result()


def test_what_is_no_message_of_ours_is_left_aside(broker: int) -> None:
    import paho.mqtt.publish as publish

    def between(number: int) -> None:
        for harm in (b"", b"MEC1", bytes(2000), b"\xff" * 5000):
            for party in ("b", "a", "stranger"):
                topic = f"mirrorenv/harm/0/{party}"
                publish.single(topic, harm, qos=1, hostname="127.0.0.1", port=broker)

    first, _ = exchanged(broker, "harm", 2, between)
    np.testing.assert_array_equal(first[1], counts_of(1, 1))


def test_no_topic_but_that_of_the_run_is_used() -> None:
    place = Place.of("mqtt:///mine?me=a&all=a,b")
    assert (place.host, place.port, place.encrypted) == ("127.0.0.1", 1883, False)
    assert Place.of("mqtts://me@there/mine?me=a&all=a,b").port == 8883


@pytest.mark.parametrize(
    "wrong",
    [
        "http://127.0.0.1/run?me=a&all=a,b",
        "mqtt://127.0.0.1:99999/run?me=a&all=a,b",
        "mqtt://127.0.0.1/?me=a&all=a,b",
        "mqtt://127.0.0.1/run/+?me=a&all=a,b",
        "mqtt://127.0.0.1/run?me=c&all=a,b",
        "mqtt://127.0.0.1/run?me=a&all=a",
        "mqtt://127.0.0.1/run?me=a&all=a,a",
        "mqtt://user:secret@127.0.0.1/run?me=a&all=a,b",
    ],
)
def test_a_wrong_address_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="exchange"):
        open_exchange(wrong)


@given(st.binary(max_size=1100))
def test_random_messages_are_read_or_left(data: bytes) -> None:
    assert from_message(data) is None or data.startswith(b"MEC1")


def test_a_message_arrives_as_it_was_sent() -> None:
    found = from_message(to_message(7, counts_of(0, 0), asks=True))
    assert found is not None and (found.number, found.asks) == (7, True)
    np.testing.assert_array_equal(found.counts, counts_of(0, 0))
    assert (Alone().share(counts_of(0, 0)) == 0).all()


def test_worlds_of_two_processes_see_each_others_counts(broker: int) -> None:
    said = np.zeros((1, 2, 8), np.int64)

    def play(party: int) -> np.ndarray[Any, Any]:
        world = mirrorenv.make_batch(
            "mirrorenv/bytes-v0",
            1,
            num_agents=2,
            length=8,
            horizon=2,
            execute=False,
            exchange=address(broker, "worlds", "ab"[party]),
        )
        world.reset([party])
        seen = world.step(said + party + 1).observations[0]
        last.wait(60)
        world.close()
        peers = [i for i, name in enumerate(world.column_names) if name.startswith("peers ")]
        return seen[:, peers]

    last = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(play, (0, 1))
    # one agent here said 1, two agents there said 2
    np.testing.assert_allclose(one[0, [1, 2]], [1 / 3, 2 / 3], rtol=1e-5)
    np.testing.assert_allclose(other[0, [1, 2]], [2 / 3, 1 / 3], rtol=1e-5)
