"""The marl-eval export holds to what that package documents, and marl-eval itself reads it where it
is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.results.stats.marl_eval import marl_eval_of_runs

STEPS = (0, 100, 250)


def a_run(
    path: Path,
    seed: int,
    weight: float,
    *,
    world: str = "mirrorenv/ants-v0",
    hidden: Any = 64,
    steps: Any = STEPS,
) -> Path:
    """A finished run whose first evaluation knows no mirror return, as real ones do."""
    settings = {
        "world": world,
        "seed": seed,
        "mirror": {"weight": weight},
        "population": {"hidden": hidden},
    }
    run = RunFolder.create(path, settings, seed)
    for number, step in enumerate(steps):
        row = {"iteration": number, "env_steps": step, "return": weight + step + seed}
        row |= {
            "learned": {"top1": {"value": 0.25 * number}, "information": {"value": 0.1 * number}}
        }
        run.log_evaluation(row if number == 0 else row | {"mirror_return": 0.5})
    run.finish()
    return path


def grid(folder: Path, **changes: Any) -> list[Path]:
    return [
        a_run(folder / f"{w}-{seed}", seed, w, hidden=[64, 32 + int(w)], **changes)
        for w in (0.0, 1.0)
        for seed in (3, 4)
    ]


def assert_as_documented(data: dict[str, Any]) -> None:
    """The structure in marl-eval's README, and the notes on it: equal counts, equal metrics, no
    commas in names."""
    for tasks in data.values():
        assert len({frozenset(algorithms) for algorithms in tasks.values()}) == 1
        runs = [
            list(seeds.values()) for algorithms in tasks.values() for seeds in algorithms.values()
        ]
        assert len({len(one) for one in runs}) == 1
        assert all("," not in name for algorithms in tasks.values() for name in algorithms)
        metrics = set()
        for run in (run for some in runs for run in some):
            *steps, last = run
            assert last == "absolute_metrics" and steps == [f"step_{i}" for i in range(len(steps))]
            counts = [run[step]["step_count"] for step in steps]
            assert counts == sorted(counts) and all(type(count) is int for count in counts)
            for place in run.values():
                values = {name: value for name, value in place.items() if name != "step_count"}
                assert values and all(
                    isinstance(one, list) and type(one[0]) is float for one in values.values()
                )
                metrics.add(frozenset(values))
        assert len(metrics) == 1 and len({len(run) for some in runs for run in some}) == 1


def test_the_command_writes_what_marl_eval_documents(tmp_path):
    out = tmp_path / "found.json"
    done = CliRunner().invoke(
        app, ["results", "marl-eval", *map(str, grid(tmp_path)), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    data = json.loads(out.read_text("utf-8"))
    assert_as_documented(data)
    (task,) = data["mirrorenv"].values()
    assert sorted(task) == [
        "mirror.weight=0.0; population.hidden=[64; 32]",
        "mirror.weight=1.0; population.hidden=[64; 33]",
    ]
    run = task["mirror.weight=1.0; population.hidden=[64; 33]"]["seed_4"]
    assert run["step_2"] == {
        "step_count": 250,
        "return": [255.0],
        "top1": [0.5],
        "information": [0.2],
    }
    assert run["absolute_metrics"]["return"] == [255.0]


def test_a_figure_some_evaluation_lacks_is_in_none(tmp_path):
    text = json.dumps(marl_eval_of_runs(grid(tmp_path)))
    assert "mirror_return" not in text and "NaN" not in text


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"seed": 5}, r"same seeds .*\[3, 4, 5\]"),
        ({"seed": 3, "steps": (0, 9), "weight": 0.5}, "same (seeds|evaluat)"),
    ],
)
def test_what_marl_eval_cannot_aggregate_is_refused_by_name(tmp_path, more, what):
    runs = grid(tmp_path)
    given = {"weight": 1.0, **more}
    with pytest.raises(RunFolderError, match=what):
        marl_eval_of_runs([*runs, a_run(tmp_path / "more", hidden=[64, 33], **given)])


def test_runs_of_unequal_length_are_refused(tmp_path):
    runs = [a_run(tmp_path / "a", 0, 1.0), a_run(tmp_path / "b", 1, 1.0, steps=(0, 100))]
    with pytest.raises(RunFolderError, match="same evaluations"):
        marl_eval_of_runs(runs)


def test_a_condition_missing_in_one_world_is_refused(tmp_path):
    other = [
        a_run(tmp_path / f"other{seed}", seed, 0.0, hidden=[64, 32], world="mirrorenv/turn-v0")
        for seed in (3, 4)
    ]
    with pytest.raises(RunFolderError, match="same conditions"):
        marl_eval_of_runs([*grid(tmp_path), *other])


def test_marl_eval_itself_finds_nothing_to_complain_of(tmp_path):
    diagnose = pytest.importorskip(
        "marl_eval.utils.diagnose_data_errors",
        reason="marl-eval (id-marl-eval, pins pandas 1.4.4) is not importable",
    )
    processing = pytest.importorskip("marl_eval.utils.data_processing_utils")
    data = marl_eval_of_runs(grid(tmp_path))
    assert all(diagnose.DiagnoseData(raw_data=data).check_data().values())
    processed = processing.data_process_pipeline(raw_data=data, metrics_to_normalize=["return"])
    matrices, _ = processing.create_matrices_for_rliable(processed, "mirrorenv", ["return"])
    assert matrices["mean_top1"]["mirror.weight=1.0; population.hidden=[64; 33]"].tolist() == [
        [0.5],
        [0.5],
    ]
