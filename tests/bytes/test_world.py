"""The byte world: each mechanism does what its name says, and does nothing when it is off."""

from __future__ import annotations

import contextlib
import copy
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.bytes.machine import lease
from mirrorenv.bytes.pcap import read_packets, write_packets
from mirrorenv.bytes.players import PLAYERS
from mirrorenv.bytes.recollection import EpisodeRecollection, SharedRecollection, embed
from mirrorenv.bytes.rewards import REWARDS
from mirrorenv.bytes.world import ByteMeditation
from mirrorenv.errors import ConfigError, MirrorError, StoreError, UnknownNameError
from mirrorenv.memory.base import Memories, Scope
from mirrorenv.memory.numpy_store import NumpyStore
from tests.bytes.programs import make_folder

SMALL: dict[str, Any] = {"num_agents": 3, "length": 24, "horizon": 5}


def small(rows: int = 2, **options: Any) -> ByteMeditation:
    world = mirrorenv.make_batch("mirrorenv/bytes-v0", rows, **{**SMALL, **options})
    assert isinstance(world, ByteMeditation)
    return world


def random_bytes(world: ByteMeditation, steps: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (steps, world.num_envs, world.num_agents, world.length))


def columns(world: ByteMeditation, part: str) -> list[int]:
    names = world.column_names
    return [i for i, name in enumerate(names) if name == part or name.rpartition(" ")[0] == part]


def test_an_agent_sees_what_it_said() -> None:
    world = small()
    world.reset([1, 2])
    said = random_bytes(world, 1)[0]
    seen = world.step(said).observations[..., columns(world, "own")]
    np.testing.assert_array_equal(np.rint(seen * 255), said)


def test_chance_follows_from_the_seed_unless_it_is_live() -> None:
    seeded = [small().reset([3, 4])[..., columns(small(), "chance")] for _ in range(2)]
    np.testing.assert_array_equal(seeded[0], seeded[1])
    live = small(entropy_source="live")
    first = live.reset([3, 4])[..., columns(live, "chance")]
    assert (first != live.reset([3, 4])[..., columns(live, "chance")]).any()


def test_bytes_of_chance_are_even() -> None:
    world = small(200, entropy_bytes=64)
    drawn = np.rint(world.reset(range(200))[..., columns(world, "chance")] * 255).astype(int)
    counts = np.bincount(drawn.ravel(), minlength=256)
    expected = counts.sum() / 256
    assert np.square(counts - expected).sum() / expected < 340  # chi-square, 255 df, p = 2e-4


def test_the_network_brings_what_others_said_and_never_ones_own() -> None:
    world = small()
    world.reset([0, 1])
    said = np.zeros((2, 3, 24), np.int64) + np.array([10, 20, 30])[:, None]
    seen = np.rint(world.step(said).observations[..., columns(world, "network")] * 255)
    for agent, byte in enumerate((10, 20, 30)):
        assert set(seen[:, agent].ravel()) <= {10.0, 20.0, 30.0} - {float(byte)}


def test_the_network_can_be_a_recorded_file_and_opens_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    path = tmp_path / "some.pcap"
    write_packets(path, [b"abc", b"", b"defgh"])
    assert read_packets(path) == [b"abc", b"", b"defgh"]
    world = small(network=str(path))
    seen = np.rint(world.reset([0, 1])[..., columns(world, "network")] * 255).astype(np.uint8)
    assert seen[0, 0].tobytes() in b"abcdefgh" * 4


@pytest.mark.parametrize(
    "harm",
    [
        b"",
        b"\xd4\xc3\xb2\xa1",
        b"no capture at all, but long enough for a header",
        b"\xd4\xc3\xb2\xa1" + bytes(20),
        b"\xd4\xc3\xb2\xa1" + bytes(20) + bytes(8) + b"\xff\xff\xff\xff" * 2,
        b"\xd4\xc3\xb2\xa1" + bytes(20) + bytes(8) + b"\x10\0\0\0" * 2 + b"cut",
    ],
)
def test_a_hostile_capture_is_refused_with_its_name(tmp_path: Path, harm: bytes) -> None:
    path = tmp_path / "harm.pcap"
    path.write_bytes(harm)
    with pytest.raises(StoreError, match=r"harm\.pcap"):
        small(network=str(path))


def test_random_files_never_do_more_than_be_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(200):
        path = tmp_path / "random.pcap"
        path.write_bytes(b"\xa1\xb2\xc3\xd4" + bytes(20) + rng.bytes(number))
        with contextlib.suppress(StoreError):
            read_packets(path)


def test_a_missing_capture_is_said() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        small(network="there/is/none.pcap")


def test_what_others_said_is_seen_as_one() -> None:
    world = small()
    world.reset([0, 1])
    said = random_bytes(world, 1)[0]
    seen = world.step(said).observations[..., columns(world, "peers")]  # (B, N, 256)
    others = said[0, [0, 2]].ravel()
    np.testing.assert_allclose(seen[0, 1], np.bincount(others, minlength=256) / len(others))


def test_what_a_program_made_is_there_in_the_next_step() -> None:
    world = small(1, length=40)
    world.reset([0])
    program = np.frombuffer(make_folder(b"a").ljust(40, b"\0"), np.uint8).astype(np.int64)
    said = np.zeros((1, 3, 40), np.int64)
    said[0, 1] = program
    first = world.step(said).observations[0, :, columns(world, "kernel")]
    again = world.step(np.zeros_like(said)).observations[0, :, columns(world, "kernel")]
    assert first[1, 1] > first[1, 0]  # folders; agent 1 made one, agent 0 did not
    np.testing.assert_array_equal(first, again)
    assert "/a" in world.kernels[0][1]["files"]
    assert "/a" not in world.kernels[0][0]["files"]
    world.reset([0])
    assert "/a" not in world.kernels[0][1]["files"]


def test_every_agent_has_a_kernel_of_its_own_so_agents_can_be_exchanged() -> None:
    world = small(1)
    said = random_bytes(world, 3)
    order = [2, 0, 1]
    world.reset([0])
    plain = [world.step(step).rewards[0] for step in said]
    world.reset([0])
    turned = [world.step(step[:, order]).rewards[0] for step in said]
    for one, other in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(one[order], other)


def test_rewards_are_the_weighted_sum_of_what_is_kept_apart(tmp_path: Path) -> None:
    weights = {name: 0.1 * (1 + place) for place, name in enumerate(REWARDS)}
    replies = tmp_path / "replies.json"
    replies.write_text("{}")
    world = small(rewards=weights, judge=f"recorded:{replies}")
    world.reset([0, 1])
    paid = world.step(random_bytes(world, 1)[0]).rewards
    assert set(world.components) == set(REWARDS)
    total = sum(weights[name] * found for name, found in world.components.items())
    np.testing.assert_allclose(paid, total / world.horizon, rtol=1e-6)
    for name, found in world.components.items():
        least = -1 if name == "judge" else 0
        assert (found >= least).all() and (found <= 1).all(), name
        assert found.shape == (2, 3)


def test_callers_are_even_and_the_silent_are_not() -> None:
    world = small(1, length=64)
    world.reset([0])
    world.step(PLAYERS["callers"](world)(np.zeros((1, 3, 1)), 0))
    np.testing.assert_allclose(world.components["evenness"], 1.0)
    world.step(PLAYERS["silent"](world)(np.zeros((1, 3, 1)), 0))
    np.testing.assert_array_equal(world.components["evenness"], 0.0)


@pytest.mark.parametrize(
    ("option", "part"),
    [
        ({"see_own": False}, "own"),
        ({"memories": 0}, "memory"),
        ({"entropy_bytes": 0}, "chance"),
        ({"network_bytes": 0}, "network"),
        ({"see_peers": False}, "peers"),
        ({"execute": False}, "calls"),
    ],
)
def test_every_switch_takes_its_part_away(option: dict[str, Any], part: str) -> None:
    world = small(**option)
    assert columns(small(), part) and not columns(world, part)
    world.reset([0, 1])
    step = world.step(random_bytes(world, 1)[0])
    assert step.observations.shape[-1] == len(world.column_names)
    assert world.executor.__getstate__()["_machine"] is None
    if part == "calls":
        assert (world.effects.endings == -1).all()


def test_memory_in_an_episode_finds_what_a_store_finds() -> None:
    rng = np.random.default_rng(0)
    said = rng.integers(0, 8, (4, 2, 3, 16)).astype(np.uint8)  # (T, B, N, L), much alike
    memory = EpisodeRecollection()
    memory.start(np.zeros(2, np.uint64))
    store = NumpyStore(128)
    for step in range(4):
        if step:
            found, likeness = memory.nearest(said[step], 2, step)
            queries = embed(said[step, 0])
            recall = store.search(queries, 2, Scope(before=(0, step)))
            np.testing.assert_allclose(likeness[0], 1.0 - recall.distances, atol=1e-5)
            for agent in range(3):
                for place in range(2):
                    one = embed(found[0, agent, place])
                    content = np.frombuffer(recall.contents[agent][place], np.uint8)
                    like = float(embed(content) @ queries[agent])
                    assert float(one @ queries[agent]) == pytest.approx(like, abs=1e-5)
        memory.add(said[step], step, np.ones(2, bool))
        store.add(
            Memories(
                embed(said[step, 0]),
                [one.tobytes() for one in said[step, 0]],
                np.arange(3),
                np.zeros(3, np.int64),
                np.full(3, step),
            )
        )


def test_another_agents_memory_can_be_read_and_only_with_memory() -> None:
    """Agent 0 is told a secret by chance and says it behind a mark; agent 1 says the mark later."""

    def heard(memories: int) -> bool:
        world = small(1, memories=memories, see_peers=False, network_bytes=0)
        world.reset([7])
        secret = np.arange(100, 112)
        said = random_bytes(world, 3, seed=1) % 50
        said[0, 0, 0] = [*[200] * 12, *secret]
        said[1:, 0, 1] = 200
        world.step(said[0])
        seen = np.rint(world.step(said[1]).observations[0, 1] * 255).astype(np.uint8)
        return bytes(secret.astype(np.uint8)) in seen.tobytes()

    assert heard(1)
    assert not heard(0)


def test_a_memory_in_a_file_outlives_the_world(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    first = small(1, memory_path=path)
    first.reset([0])
    said = random_bytes(first, 1)[0]
    first.step(said)
    first.close()
    second = small(1, memory_path=path)
    second.reset([1])
    seen = second.step(said).observations
    np.testing.assert_allclose(seen[..., columns(second, "likeness")][..., 0], 1.0, atol=1e-5)
    second.close()


def test_shared_memory_is_looked_at_before_it_is_written(tmp_path: Path) -> None:
    memory = SharedRecollection(str(tmp_path / "memory.db"), 8)
    memory.start(np.zeros(1, np.uint64))
    said = np.arange(16, dtype=np.uint8).reshape(1, 2, 8)
    assert (memory.nearest(said, 1, 0)[1] == 0).all()
    memory.add(said, 0, np.ones(1, bool))
    assert np.allclose(memory.nearest(said, 1, 1)[1], 1.0)
    memory.close()


def test_a_killed_child_costs_nothing_but_itself() -> None:
    world = small()
    said = random_bytes(world, 2)
    world.reset([0, 1])
    expected = [world.step(step).rewards for step in said]
    world.reset([0, 1])
    first = world.step(said[0]).rewards
    machine = world.executor._machine  # type: ignore[attr-defined]
    machine._cache.clear()
    machine._child.kill()
    np.testing.assert_array_equal(first, expected[0])
    np.testing.assert_array_equal(world.step(said[1]).rewards, expected[1])


def test_closing_gives_the_child_back_and_a_copy_starts_its_own() -> None:
    world = small()
    world.reset([0, 1])
    world.step(random_bytes(world, 1)[0])
    copied = copy.deepcopy(world)
    before = lease.waiting()
    world.close()
    world.close()
    assert lease.waiting() == min(before + 1, 2)
    said = random_bytes(world, 1, seed=4)[0]
    np.testing.assert_array_equal(copied.step(said).rewards, world.step(said).rewards)
    copied.close()
    world.close()


def test_a_picture_shows_what_was_said() -> None:
    world = small(1)
    world.reset([0])
    before = world.render(0)
    world.step(random_bytes(world, 1)[0])
    after = world.render(0)
    assert before.shape == after.shape and (before != after).any()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"length": 1}, ConfigError),
        ({"memories": -1}, ConfigError),
        ({"entropy_source": "moon"}, ConfigError),
        ({"rewards": {"evennes": 1.0}}, UnknownNameError),
        ({"rewards": {"evenness": "much"}}, ConfigError),
        ({"rewards": 3}, ConfigError),
        ({"num_agents": 1}, ConfigError),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], error: type[MirrorError]) -> None:
    with pytest.raises(error):
        small(**options)
