from __future__ import annotations

import pytest

from tests.debate.stub import serving


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def stub():
    with serving() as server:
        yield server
