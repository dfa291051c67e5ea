"""What is not installed is named, with the line that brings it, and costs only what needs it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import mirrorenv
from mirrorenv.bytes.exchange.base import open_exchange
from mirrorenv.bytes.machine import lease
from mirrorenv.errors import MissingExtraError


def test_without_unicorn_programs_are_not_executed_and_bytes_are_still_uttered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    monkeypatch.setattr(lease, "_WAITING", [])
    said = np.zeros((1, 2, 8), np.int64)
    world = mirrorenv.make_batch("mirrorenv/bytes-v0", 1, num_agents=2, length=8)
    world.reset([0])
    with pytest.raises(MissingExtraError, match=r"'unicorn' is not installed.*bytes"):
        world.step(said)
    silent = mirrorenv.make_batch("mirrorenv/bytes-v0", 1, num_agents=2, length=8, execute=False)
    silent.reset([0])
    assert silent.step(said).rewards.shape == (1, 2)


def test_without_paho_an_exchange_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(MissingExtraError, match=r"paho.*bytes"):
        open_exchange("mqtt:///run?me=a&all=a,b")
