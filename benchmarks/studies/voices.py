"""Self versus other on SmolLM2: recognition against usefulness, and its controls, over seeds.

    python benchmarks/studies/voices.py [--only main same_prompt] [--seeds 0 1 2]
        [--minutes 60] [--json FILE]
    python benchmarks/studies/voices.py --table [--json FILE] [--picture FILE.svg]
    python benchmarks/studies/voices.py --table --instructions
    python benchmarks/studies/voices.py --smoke

Three personas on SmolLM2-135M-Instruct in bfloat16, each a low-rank adapter, answer 32 everyday
questions in two short sentences, at most 64 tokens: 16 to learn from, 8 on which the round is
chosen and the bounds are held, 8 that are measured once, at the end. At most two rounds of eight
steps, one if it has all fresh tuning texts assigned; margins are per token, since by whole texts
voices learned above all to write longer or shorter. These choices were made on seeds 100, 0 and 1,
which are not among those reported: without the early stop seed 0 lost its topics, and with three
quarters of the step size seed 1 moved so little that 0.875 of held-out pairs were assigned.
Conditions:

* `main`: own text preferred to another's;
* `same_prompt`: all players are told the same, only their draws differ;
* `shuffled_ownership`: training texts have random owners;
* `supervised`: the same number of steps on one's own text alone;
* `reversed`: the other's text is preferred.

Every run is a folder of `mirrorenv prefer train` under `--out`, with its page; the same command
goes on where it was stopped, and finished runs are not repeated. One run takes about ten minutes of
one core. Figures are of the held-out topics, as means over seeds with Student's t interval over
seeds: `fresh` are texts that the tuned voices write, told nothing, `first` those that the
untouched model wrote under each persona. Usefulness is the worst player's: perplexity and topic
relevance as multiples of those of its first texts, repetition as a rise above them; mean relevance
is that of all players.

`--instructions` asks ten small instructions with checkable answers of every finished voice and of
the untouched model, the likeliest token each time; half a minute a run. The answers are kept beside
the run.

Targets: recognition above 0.9 on fresh texts, repetition within 0.05, perplexity at most 1.5 times,
relevance at least 0.9 times. Recognition is given twice: of two texts assigned by both authors
together (joint), and of own against other by each author alone, by whole texts, where length and
plainness decide, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.figures.voices_picture import frontier_svg
from mirrorenv.errors import MirrorError
from mirrorenv.mirror import t_interval
from mirrorenv.preference.settings import PreferenceSettings, load_settings
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.run_folder import RunFolder

Row = dict[str, Any]

CONDITIONS = ("main", "same_prompt", "shuffled_ownership", "supervised", "reversed")
SETTINGS = [
    "dtype=bfloat16",
    "data.most_topics=32",
    "data.tuning=0.25",
    "data.held_out=0.25",
    "data.samples=1",
    "data.tokens=64",
    "loss.kind=normalised",
    "loss.beta=2",
    "learning.rounds=2",
    "learning.steps=8",
    "learning.learning_rate=4e-4",
    "measure.instructions=false",
]
SMOKE = [
    "data.most_topics=4",
    "data.tokens=8",
    "data.truncated=keep",
    "learning.rounds=1",
    "learning.steps=1",
    "learning.batch_size=2",
]
INSTRUCTIONS = "instructions.json"
ENOUGH = 0.9
REPETITION = 0.05
PERPLEXITY = 1.5
RELEVANCE = 0.9


def settings_for(condition: str, seed: int, smoke: bool) -> PreferenceSettings:
    """One run."""
    control = "none" if condition == "main" else condition
    return load_settings(
        overrides=[*SETTINGS, f"control={control}", f"seed={seed}", *(SMOKE if smoke else [])]
    )


def run_once(condition: str, seed: int, path: Path, smoke: bool) -> None:
    """Train one population, or go on with it, and write its page."""
    from mirrorenv.preference.callbacks import RunCallbacks
    from mirrorenv.preference.report import write_report
    from mirrorenv.preference.run import train

    def told(row: Row) -> None:
        print(f"{condition} seed {seed}: {_line(_place(row))}", flush=True)

    callbacks = RunCallbacks(
        evaluation=told, note=lambda text: print(f"{condition} seed {seed}: {text}", flush=True)
    )
    train(settings_for(condition, seed, smoke), path, callbacks=callbacks)
    write_report(path)


def _place(row: Row) -> Row:
    """Where an evaluation lies: what is recognised, and the worst player's usefulness."""
    now = row["fresh"]["useful"]
    first = row["first"]["useful"]

    def mean(useful: Row, name: str, key: str) -> float:
        return float(useful[name][key]["value"])

    return {
        "split": row["split"],
        "round": row["iteration"],
        "both": row["fresh"]["recognition"]["assigned"]["value"],
        "fresh": row["fresh"]["recognition"]["sum"]["joint"]["value"],
        "first": row["first"]["recognition"]["sum"]["joint"]["value"],
        "perplexity": max(now[name]["perplexity"] / first[name]["perplexity"] for name in now),
        "repetition": max(
            mean(now, name, "repetition") - mean(first, name, "repetition") for name in now
        ),
        "relevance": min(
            mean(now, name, "relevance") / mean(first, name, "relevance") for name in now
        ),
        "kl": max(now[name]["kl"] for name in now),
        "rolled_back": row.get("rolled_back", False),
    }


def _line(place: Row) -> str:
    where = "held out" if place["split"] == "held_out" else f"round {place['round']}"
    back = ", rolled back" if place["rolled_back"] else ""
    return (
        f"{where}: by both {place['both']:.3f}, fresh {place['fresh']:.3f}, first "
        f"{place['first']:.3f}, "
        f"perplexity x {place['perplexity']:.2f}, repetition {place['repetition']:+.3f}, "
        f"relevance x {place['relevance']:.2f}{back}"
    )


def figures_of(run: RunFolder) -> Row:
    """What one finished run comes to."""
    rows = run.evaluations()
    last = next(row for row in reversed(rows) if row["split"] == "held_out")
    fresh = last["fresh"]["recognition"]
    first = last["first"]["recognition"]
    base = next(row for row in rows if row["iteration"] == 0)["fresh"]["useful"]
    place = _place(last)
    names = list(last["fresh"]["useful"])
    return {
        "condition": "main" if run.config["control"] == "none" else run.config["control"],
        "seed": run.config["seed"],
        "rounds": last["rounds"],
        "best": last["best"],
        "held_out": {
            **{f"fresh_{way}": fresh[way]["joint"]["value"] for way in ("sum", "per_token", "pmi")},
            **{f"first_{way}": first[way]["joint"]["value"] for way in ("sum", "per_token", "pmi")},
            "fresh_assigned": fresh["assigned"]["value"],
            "first_assigned": first["assigned"]["value"],
            "before": last["first"]["before"]["sum"]["joint"]["value"],
            "margin": fresh["sum"]["margin"]["value"],
            "self_advantage": fresh["self_advantage"]["value"],
            "lineup": fresh["lineup"]["top1"]["value"],
            "limit": fresh["limit"]["top1"]["value"],
            **{key: place[key] for key in ("perplexity", "repetition", "relevance", "kl")},
            "relevance_mean": _mean_relevance(last, "fresh") / _mean_relevance(last, "first"),
            "unfinished": sum(last["fresh"]["useful"][name]["unfinished"] for name in names)
            / len(names),
        },
        "untouched_repetition": sum(one["repetition"]["value"] for one in base.values())
        / len(base),
        "players": {name: _before_and_after(last, name) for name in names},
        "instructions": read_json(run.path / INSTRUCTIONS)
        if (run.path / INSTRUCTIONS).exists()
        else None,
        "path": [_place(row) for row in rows if row["split"] == "tuning"],
    }


def _mean_relevance(row: Row, kind: str) -> float:
    useful = row[kind]["useful"].values()
    return sum(float(one["relevance"]["value"]) for one in useful) / len(useful)


def instructed(run: RunFolder) -> None:
    """Ask a finished run's voices to follow instructions, once; see
    :mod:`mirrorenv.preference.usefulness`."""
    from mirrorenv.llm import load_model
    from mirrorenv.preference.usefulness import follows

    path = run.path / INSTRUCTIONS
    settings = load_settings(given=_settings_of(run))
    if path.exists():
        return
    folders = {
        "untouched": "",
        **{name: str(run.path / "voices" / name) for name in settings.names},
    }
    found = {
        name: follows(load_model(settings.model, settings.dtype, folder), settings.data.neutral)
        for name, folder in folders.items()
    }
    atomic_write_json(path, found)


def _settings_of(run: RunFolder) -> Row:
    return {
        name: value for name, value in run.config.items() if name in PreferenceSettings.model_fields
    }


def _player(useful: Row) -> Row:
    plain = {key: useful[key] for key in ("perplexity", "length", "distinct2", "unfinished", "kl")}
    return {
        **plain,
        "repetition": useful["repetition"]["value"],
        "relevance": useful["relevance"]["value"],
    }


def finished(out: Path, only: Sequence[str]) -> list[RunFolder]:
    """All finished runs, conditions in order."""
    found = []
    for condition in only:
        for path in sorted((out / condition).glob("seed*")):
            try:
                run = RunFolder.open(path)
            except MirrorError:
                continue
            if run.status == "finished":
                found.append(run)
    return found


COLUMNS = (
    ("fresh_sum", "fresh, whole"),
    ("fresh_per_token", "fresh, per token"),
    ("fresh_pmi", "fresh, against untouched"),
    ("fresh_assigned", "fresh, two by both"),
    ("first_sum", "first, whole"),
    ("lineup", "own likelihood"),
    ("limit", "limit"),
    ("perplexity", "perplexity x"),
    ("repetition", "repetition"),
    ("relevance", "relevance x"),
    ("relevance_mean", "mean relevance x"),
    ("kl", "KL"),
)


def each(runs: Sequence[Row]) -> str:
    """The figures of every run, a row each."""
    lines = [_head("condition", "seed", "round chosen")]
    for run in runs:
        cells = [f"{run['held_out'][key]:.3f}" for key, _ in COLUMNS]
        chosen = f"{run['best']} of {run['rounds']}"
        lines.append(
            f"| {run['condition']} | {run['seed']} | {chosen} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


def _head(*names: str) -> str:
    titles = [*names, *(title for _, title in COLUMNS)]
    return "| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|"


def _before_and_after(last: Row, name: str) -> Row:
    """What a player is worth, tuned and before that."""
    return {kind: _player(last[kind]["useful"][name]) for kind in ("first", "fresh")}


def table(runs: Sequence[Row]) -> str:
    """The figures of all conditions, a row each."""
    lines = [_head("condition", "seeds")]
    for condition in dict.fromkeys(run["condition"] for run in runs):
        some = [run for run in runs if run["condition"] == condition]
        cells = []
        for key, _ in COLUMNS:
            values = [run["held_out"][key] for run in some]
            cells.append(_interval(values))
        lines.append(f"| {condition} | {len(some)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(values: Sequence[float]) -> str:
    return t_interval(values).text()


def _followed(run: Row) -> str:
    if run["instructions"] is None:
        return ""
    told = ", ".join(f"{name} {share:.1f}" for name, share in run["instructions"].items())
    return f"{run['condition']} seed {run['seed']}, share of instructions followed: {told}"


def verdicts(runs: Sequence[Row]) -> str:
    """How many runs of a condition meet each target."""
    lines = []
    for condition in dict.fromkeys(run["condition"] for run in runs):
        some = [run["held_out"] for run in runs if run["condition"] == condition]
        met = {
            f"two texts by both above {ENOUGH}": sum(
                one["fresh_assigned"] > ENOUGH for one in some
            ),
            f"each alone above {ENOUGH}": sum(one["fresh_sum"] > ENOUGH for one in some),
            f"repetition within {REPETITION}": sum(one["repetition"] <= REPETITION for one in some),
            f"perplexity at most {PERPLEXITY} x": sum(
                one["perplexity"] <= PERPLEXITY for one in some
            ),
            f"relevance at least {RELEVANCE} x": sum(one["relevance"] >= RELEVANCE for one in some),
        }
        lines.append(
            f"{condition}: "
            + ", ".join(f"{what} {count} of {len(some)}" for what, count in met.items())
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is left, and print."""
    script = Script(__doc__, json=True, smoke={}, minutes=True, threads=None)
    script.add_argument("--only", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    script.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4])
    script.add_argument("--out", type=Path, default=Path("runs/voices"), help="folder of the runs")
    script.add_argument("--table", action="store_true", help="run nothing; print what is there")
    script.add_argument(
        "--instructions",
        action="store_true",
        help="also ask finished voices to follow instructions",
    )
    script.add_argument("--picture", type=Path, help="draw the frontier here (SVG)")
    given = script.parse()
    out = given.out / "smoke" if given.smoke else given.out
    for condition in () if given.table else given.only:
        for seed in given.seeds[:1] if given.smoke else given.seeds:
            if time.monotonic() < given.until:
                run_once(condition, seed, out / condition / f"seed{seed}", given.smoke)
    folders = finished(out, given.only)
    for folder in folders if given.instructions else ():
        instructed(folder)
    runs = [figures_of(folder) for folder in folders]
    if not runs:
        print(f"no run in {out} is finished")
        return
    print(each(runs), table(runs), verdicts(runs), *filter(None, map(_followed, runs)), sep="\n\n")
    script.save({"settings": SETTINGS, "runs": runs})
    if given.picture:
        frontier_svg(runs, given.picture, PERPLEXITY, ENOUGH)


if __name__ == "__main__":
    main()
