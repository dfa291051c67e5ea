"""Settings are found before a run, with their meaning; the main ones are options, and a mistake is
said before anything slow is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.cli.app import main
from mirrorenv.cli.settings import KINDS
from mirrorenv.described import described, find
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.rllib.settings import RunSettings, config_of, load_settings
from mirrorenv.strict import StrictModel


def ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[object, str, str]:
    """(exit code, standard output, standard error) of a command line."""
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_listed_with_type_default_and_meaning(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = ended(monkeypatch, capsys, "settings", kind, "--json")
    assert code == 0
    rows = json.loads(out)
    assert len(rows) > 10
    for row in rows:
        assert row["meaning"], f"{row['name']} says nothing of what it means"
        assert row["type"] not in ("", "any value"), row["name"]
        assert row["default"], row["name"]
    _, shown, _ = ended(monkeypatch, capsys, "settings", kind)
    assert all(row["name"] in shown for row in rows)


def test_types_ranges_and_defaults_are_those_of_the_model() -> None:
    rows = {
        setting.name: setting for section in described(RunSettings) for setting in section.settings
    }
    weight = rows["mirror.weight"]
    assert (weight.type, weight.range, weight.default) == ("number", ">= 0", "1.0")
    assert rows["mirror.floor"].range == "> 0, < 1"
    assert rows["mirror.final_weight"].default == "not set"
    assert rows["world"].default == "required"
    assert rows["mirror.credit"].type.startswith('"author", "team"')
    assert rows["mirror.teams"].type == "list of whole numbers or not set"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("mirror.weight", {"mirror.weight"}),
        ("weights", {"population.weights"}),
        ("evaluation", {"evaluation.checkpoints", "evaluation.episodes"}),
        ("nonsense", set()),
    ],
)
def test_a_name_means_a_setting_a_section_or_the_last_part(wanted: str, names: set[str]) -> None:
    found = find(described(RunSettings), wanted)
    assert names <= {setting.name for section in found for setting in section.settings}
    assert bool(found) == bool(names)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("settings", "train", "mirror.wieght"), "Did you mean mirror.weight"),
        (("settings", "wieght"), "mirror.weight"),
        (("settings", "trian"), "Did you mean train?"),
        (("train", "ants-v0", "--set", "weight=0.5"), "Did you mean mirror.weight"),
        (("train", "ants-v0", "--set", "num_agents=3"), "world_options.num_agents"),
    ],
)
def test_a_near_miss_is_answered_with_what_was_meant(
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, said = ended(monkeypatch, capsys, *words)
    assert code == 2
    assert says in said


def test_a_setting_given_by_its_option_and_by_set_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for override in ("mirror.weight=1", "mirror={weight: 1}"):
        words = ("train", "ants-v0", "--weight", "0.5", "--set", override)
        code, _, said = ended(monkeypatch, capsys, *words)
        assert code == 2
        assert "--weight and --set" in said


def test_options_are_settings() -> None:
    from mirrorenv.cli.setting_options import chosen

    given = chosen({"--weight": ("mirror.weight", 0.5), "--seed": ("seed", None)}, ["seed=3"])
    assert given == {"mirror": {"weight": 0.5}}
    settings = load_settings("mirrorenv/ants-v0", overrides=["seed=3"], given=given)
    assert (settings.mirror.weight, settings.seed) == (0.5, 3)


_SAID_EARLY = """
import sys
from mirrorenv.cli.app import main
sys.argv = ["mirrorenv", *sys.argv[1:]]
try:
    main()
finally:
    print("heavy:", *sorted({"torch", "ray", "transformers"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "antz-v0"), "mirrorenv/ants-v0"),
        (("train", "ants-v0", "--weight", "-1"), "mirror.weight"),
        (("train", "ants-v0", "--agents", "two"), "--agents"),
        (("train", "ants-v0", "--config", "nope.toml"), "nope.toml"),
        (("train", "ants-v0", "--weight0", "nope"), "nope"),
        (("train", "ants-v0", "--run", "file.txt"), "file.txt is a file"),
        (("train", "ants-v0", "--run", "file.txt/run"), "file.txt is a file"),
        (("train", "ants-v0", "--run", "done", "--seed", "5"), "seed = 0, not 5"),
        (("train", "nowhere:Env"), "nowhere"),
        (("prefer", "train", "--run", "file.txt"), "file.txt is a file"),
        (("evaluate", "nope"), "nope"),
        (("evaluate", "file.txt"), "file.txt"),
        (("play", "ants-v0", "--policy", "nope/run"), "nope/run"),
        (("results", "export", "nope"), "nope"),
    ],
    ids=lambda words: "-".join(words).replace("/", "-") if isinstance(words, tuple) else "",
)
def test_a_mistake_is_said_before_anything_slow_is_loaded_or_announced(
    words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "file.txt").write_text("")
    settings = load_settings("mirrorenv/ants-v0")
    RunFolder.create(tmp_path / "done", config_of(settings), 0).finish()
    result = subprocess.run(
        [sys.executable, "-c", _SAID_EARLY, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode in (1, 2), result.stderr
    assert says in result.stderr
    assert result.stderr.splitlines()[-1] == "heavy:"
    assert "training mirrorenv/" not in result.stderr
    assert "already finished" not in result.stderr


def test_a_list_of_models_is_described_by_its_entries() -> None:
    class Inner(StrictModel):
        """One."""

        size: int = 1
        """How large."""

    class Outer(StrictModel):
        """Many."""

        inner: tuple[Inner, ...] = ()
        """All of them."""

    names = [setting.name for section in described(Outer) for setting in section.settings]
    assert names == ["inner", "inner[].size"]
