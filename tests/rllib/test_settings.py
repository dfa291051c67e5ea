"""A run's configuration: what is wrong with it is said by name, and files, arguments and overrides
agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError
from mirrorenv.rllib.settings import RunSettings, load_settings


def test_defaults_need_only_a_world() -> None:
    settings = load_settings("mirrorenv/ants-v0")
    assert settings == RunSettings(world="mirrorenv/ants-v0")
    assert (settings.seed, settings.mirror.weight, settings.population.weights) == (
        0,
        1.0,
        "separate",
    )


def test_later_sources_win_and_leave_the_rest(tmp_path: Path) -> None:
    toml = tmp_path / "a.toml"
    toml.write_text(
        'world = "mirrorenv/pacmen-v0"\nseed = 3\n[mirror]\nweight = 0.5\ncredit = "team"\n'
    )
    yaml = tmp_path / "b.yaml"
    yaml.write_text("mirror:\n  weight: 0.7\nworld_options: {size: small}\n")
    settings = load_settings(
        None, [toml, yaml], ["mirror.weight=2", "population.observer.hidden=32"]
    )
    assert settings.world == "mirrorenv/pacmen-v0"
    assert settings.seed == 3
    assert settings.world_options == {"size": "small"}
    assert (settings.mirror.weight, settings.mirror.credit) == (2.0, "team")
    assert settings.population.observer.hidden == 32


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("mirror.wieght=1", "unknown setting 'mirror.wieght'. Known here: weight"),
        ("population.observer.hedd=1", "population.observer.hedd"),
        ("nothing=1", "unknown setting 'nothing'"),
        ("mirror.credit=everyone", "mirror.credit"),
        ("total_steps=-1", "total_steps"),
        ("mirror.weight=heavy", "mirror.weight"),
        ("mirror.weight", "write it as a.b=value"),
        ("mirror.wieght=1", "Did you mean mirror.weight?"),
        ("population.wieghts=shared", "Did you mean population.weights?"),
        ("total_stpes=1", "Did you mean total_steps?"),
        ("mirror.weight=.inf", "mirror.weight"),
        ("mirror.weight=.nan", "mirror.weight"),
        ("mirror.weight=[1", "--set 'mirror.weight=[1': the value is not valid YAML"),
        ("mirror=1", "setting 'mirror' = 1"),
        ("seed=one", "setting 'seed' = \"one\""),
        ("seed.x=1", "setting 'seed'"),
        ("population.weights=own", "'separate' or 'shared'"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(override: str, says: str) -> None:
    with pytest.raises(ConfigError, match=None) as refused:
        load_settings("mirrorenv/ants-v0", (), [override])
    assert says in str(refused.value)


@pytest.mark.parametrize("file", ["x.yaml", "x.json"])
def test_a_file_whose_keys_are_no_words_is_refused_by_name(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("1: 2\nmirror: {2: 3}\n")
    with pytest.raises(ConfigError, match=r"unknown setting 'mirror\.2'"):
        load_settings("mirrorenv/ants-v0", [tmp_path / file])


def test_the_python_face_refuses_a_wrong_setting_in_the_same_words() -> None:
    pytest.importorskip("ray")
    from mirrorenv.rllib import MirrorPPOConfig

    config = MirrorPPOConfig()
    for call, says in (
        (lambda: config.mirror(wieght=1), "unknown setting 'mirror.wieght'"),
        (
            lambda: config.population(observer={"hedd": "gru"}),
            "unknown setting 'population.observer.hedd'",
        ),
        (lambda: config.learning(epochs=0), "setting 'learning.epochs' = 0"),
    ):
        with pytest.raises(ConfigError) as refused:
            call()
        assert says in str(refused.value)


@pytest.mark.parametrize("content", ["[mirror", "just words", "- a\n- b\n"])
def test_a_file_that_is_no_settings_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / ("x.toml" if content.startswith("[") else "x.yaml")
    file.write_text(content)
    with pytest.raises(ConfigError, match=file.name):
        load_settings("mirrorenv/ants-v0", [file])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        load_settings("mirrorenv/ants-v0", [tmp_path / "gone.toml"])


def test_no_world_at_all_is_refused_with_an_example() -> None:
    with pytest.raises(ConfigError, match="no world given"):
        load_settings()


@given(
    st.floats(0, 100),
    st.integers(0, 2**31 - 1),
    st.sampled_from(["author", "team", "observer", "self"]),
)
def test_resolved_settings_survive_json(weight: float, seed: int, credit: str) -> None:
    settings = RunSettings(
        world="mirrorenv/ants-v0", seed=seed, mirror={"weight": weight, "credit": credit}
    )  # type: ignore[arg-type]
    assert RunSettings(**settings.model_dump(mode="json")) == settings


def test_the_configuration_of_an_old_run_is_read_and_a_typed_file_is_not(tmp_path: Path) -> None:
    old = '{"world": "mirrorenv/ants-v0", "population": {"trunk": "gru"}}'
    for name in ("config.json", "mine.json"):
        (tmp_path / name).write_text(old, "utf-8")
    (tmp_path / "run.json").write_text("{}", "utf-8")
    assert load_settings(files=[tmp_path / "config.json"]).population.actor == "gru"
    with pytest.raises(ConfigError, match=r"'population\.trunk' is called 'population\.actor' now"):
        load_settings(files=[tmp_path / "mine.json"])
