"""The report tells what was said; figures of identity stand against their shuffles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mirrorenv.bytes.account import disassembly
from mirrorenv.bytes.identity import (
    byte_information,
    byte_information_test,
    identity_bytes,
    source_test,
)
from mirrorenv.envs.account import Account, GivesAccount
from mirrorenv.errors import RunFolderError
from mirrorenv.results.report.account import account_sections
from mirrorenv.results.runs.accounts import write_accounts
from mirrorenv.results.runs.run_folder import ACCOUNT
from tests.bytes.test_world import random_bytes, small

SHORT_ROW = '[{"title": "t", "lead": "l", "heads": ["a"], "rows": [[]]}]'


def uniform(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_information_of_agents_that_never_share_a_byte_is_log_n() -> None:
    counts = np.zeros((3, 256))
    counts[[0, 1, 2], [5, 6, 7]] = 10
    assert byte_information(counts) == pytest.approx(np.log(3))
    assert byte_information(np.ones((3, 256))) == pytest.approx(0.0)


def test_agents_that_draw_alike_are_not_told_apart_and_one_with_a_habit_is() -> None:
    rng = np.random.default_rng(1)
    said = uniform(60, 3, 16)
    assert byte_information_test(said, rng).p_value > 0.05
    said[:, 1, :4] = 0x90
    found = byte_information_test(said, rng)
    assert found.p_value == pytest.approx(1 / 200)
    assert found.value > found.null
    assert identity_bytes(said)[1][0][0] == 0x90


def test_uniform_bytes_pass_for_chance_and_others_do_not() -> None:
    rng = np.random.default_rng(2)
    assert source_test(uniform(60, 16, seed=3), uniform(60, 16, seed=4), rng).p_value > 0.05
    assert source_test(uniform(60, 16) // 2, uniform(60, 16, seed=4), rng).p_value < 0.01


def test_a_program_is_shown_as_instructions() -> None:
    assert disassembly(bytes.fromhex("0f05c3")) == "syscall; ret"
    assert disassembly(b"\x06") == "(no instruction)"


def test_a_world_tells_of_every_utterance(tmp_path: Path) -> None:
    world = small()
    assert isinstance(world, GivesAccount)
    world.reset([0, 1])
    assert world.account() == []
    said = random_bytes(world, 3)
    for step in said:
        world.step(step)
    first, second, *_ = world.account()
    assert len(first.rows) == 3 * 3
    assert first.rows[1][1] == said[1, 0, 0].astype(np.uint8).tobytes().hex()
    assert len(second.rows) == 3
    write_accounts(tmp_path, [first, second])
    page = "".join(account_sections(tmp_path))
    assert first.rows[0][1] in page and "identity bytes" in page


def test_what_a_world_wrote_is_never_markup(tmp_path: Path) -> None:
    row = ("<script>alert(1)</script>", "fine")
    write_accounts(tmp_path, [Account("<b>", "lead", ("a", "b"), (row,))])
    page = "".join(account_sections(tmp_path))
    assert "<script>" not in page and "<b>" not in page


@pytest.mark.parametrize("harm", ["", "[1]", '[{"title": 1}]', '{"a": 1}', "[" * 9000, SHORT_ROW])
def test_a_damaged_account_is_said(tmp_path: Path, harm: str) -> None:
    assert account_sections(tmp_path) == []
    (tmp_path / ACCOUNT).write_text(harm)
    with pytest.raises(RunFolderError, match="account"):
        account_sections(tmp_path)
