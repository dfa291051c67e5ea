"""These tests need the extra `sb3`; without it they are skipped, and the run says so."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra 'sb3': pip install '.[sb3]'").set_num_threads(
    1
)
pytest.importorskip("stable_baselines3", reason="needs the extra 'sb3': pip install '.[sb3]'")
