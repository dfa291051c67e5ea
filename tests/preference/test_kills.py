"""SIGKILL at any moment, and the same command: the run comes to the bytes of one that nobody
disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from tests.preference.kills import prove_resume


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    proof = prove_resume(tmp_path, tiny_model, 10)
    assert proof.kills == 10 and proof.runs >= 1 and len(proof.moments) >= 4
    assert proof.differences == []
