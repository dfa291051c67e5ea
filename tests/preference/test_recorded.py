"""Settings under their old names: refused where they are typed, read where they were recorded."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.preference.recorded import config_of, config_today, recorded_settings
from mirrorenv.preference.settings import PreferenceSettings, load_settings


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("road=head", "method=grpo"),
        ("road=pairs", "method=dpo"),
        ("head.natural=0.2", r"grpo\.naturalness=0\.2"),
        ("head.generations=4", "'grpo'"),
        ("learning.pairs=2", r"learning\.batch_size=2"),
        ("learning.enough=2", r"learning\.stop_at=2"),
    ],
)
def test_an_old_name_is_refused_and_the_new_one_is_said(typed: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        load_settings(overrides=[typed])


def as_version_1(settings: PreferenceSettings) -> dict[str, Any]:
    """What a run folder held before settings were renamed, written by hand."""
    config = config_of(settings, None)
    del config["version"]
    config["road"] = {"dpo": "pairs", "grpo": "head"}[config.pop("method")]
    head = config.pop("grpo")
    config["head"] = {"generations": head["generations"], "natural": head["naturalness"]}
    config["learning"]["pairs"] = config["learning"].pop("batch_size")
    config["learning"]["enough"] = config["learning"].pop("stop_at")
    return config


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["method=grpo", "grpo.naturalness=0.5", "learning.batch_size=8"],
        ["learning.weights=full", "learning.stop_at=2"],
    ],
)
def test_a_recorded_run_of_version_1_has_the_settings_it_was_made_with(changes: list[str]) -> None:
    settings = load_settings(overrides=changes)
    old = as_version_1(settings)
    assert recorded_settings(old) == settings
    assert config_today(old) == config_of(settings, None)
    assert "road" in old and "version" not in old  # what was recorded is not touched
    assert recorded_settings(config_of(settings, None)) == settings


def test_a_run_of_a_newer_version_is_refused_in_one_line() -> None:
    with pytest.raises(RunFolderError, match="upgrade mirrorenv"):
        recorded_settings({"version": 99})
