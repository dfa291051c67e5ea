"""The commands `mirrorenv prefer ...`: language models tuned to be recognisable, and measured
beside it."""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    ConfigFiles,
    Json,
    Overwrite,
    Quiet,
    console,
    print_json,
    print_path,
    require_all,
    say,
    say_places,
)
from mirrorenv.cli.waiting import Waiting
from mirrorenv.entry import add_commands
from mirrorenv.errors import ConfigError, require
from mirrorenv.plain_text import in_one_line

__all__ = ["prefer"]

prefer = typer.Typer(
    no_args_is_help=True,
    help="Self versus other: tune voices on one language model until they know their own texts, "
    "and see what it costs.",
)
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change a setting: learning.rounds=2. Repeatable."),
]
Player = Annotated[
    list[Path] | None, typer.Option("--player", "-p", help="Agent card of a player; repeatable.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto: a GPU if there is one.")]
Model = Annotated[
    str | None, typer.Option(help="smollm2, a folder that transformers can load, or a .gguf file.")
]


def _settings(
    config: list[Path] | None,
    overrides: list[str] | None,
    players: list[Path] | None,
    model: str | None,
) -> Any:
    from mirrorenv.preference.settings import load_settings, player_of_card

    given: dict[str, Any] = {} if model is None else {"model": model}
    if players:
        given["data"] = {"players": [player_of_card(path) for path in players]}
    return load_settings(config or (), overrides or (), given)


_TUNING = ("trl", "torch", "transformers", "peft", "trl", "safetensors", "tensorboard")


class _Display:
    """A bar for each stage, and lines for what must be known."""

    def __init__(self, quiet: bool) -> None:
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self.quiet = quiet
        self.waiting = Waiting("loading the model", quiet)
        self.task = self.bar.add_task("loading the model", total=None)

    def __enter__(self) -> Self:
        if self.bar.disable:
            self.waiting.__enter__()
        else:
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.waiting.__exit__(kind, error, trace)
        self.bar.stop()

    def stage(self, what: str, done: int, of: int) -> None:
        self.bar.update(self.task, description=what, completed=done, total=of)
        self.waiting.update(f"{what}: {done} of {of}")

    def evaluation(self, row: dict[str, Any]) -> None:
        if self.quiet:
            return
        joint = row["fresh"]["recognition"]["sum"]["joint"]["value"]
        first = row["first"]["recognition"]["sum"]["joint"]["value"]
        both = row["fresh"]["recognition"]["assigned"]["value"]
        perplexity = max(
            one["perplexity"] / row["first"]["useful"][name]["perplexity"]
            for name, one in row["fresh"]["useful"].items()
        )
        where = "held-out topics" if row["split"] == "held_out" else f"round {row['iteration']}"
        say(
            f"{where:<16}two texts by both authors {both:.3f}; own against other {joint:.3f} "
            f"fresh, {first:.3f} first "
            f"texts; perplexity x {perplexity:.2f}"
        )

    def note(self, text: str) -> None:
        say(text, "yellow")


def generate(
    out: Annotated[
        Path, typer.Option(help="Folder for pairs.jsonl, data_card.json and texts.jsonl.")
    ] = Path("data/voices"),
    config: ConfigFiles = None,
    overrides: Set = None,
    player: Player = None,
    model: Model = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Have the untouched model write under each persona, and pair own with other. The same command
    goes on."""
    settings = _settings(config, overrides, player, model)
    require_all(*_TUNING)
    from mirrorenv.results.runs.lock import refuse_second_writer

    refuse_second_writer(out)
    from mirrorenv.preference.data import generate_pairs

    display = _Display(quiet)
    with display:
        made = generate_pairs(settings, out, display.stage, device=device)
    if not quiet:
        say(
            f"pairs     {in_one_line(made['path'])}: "
            f"{', '.join(f'{count} {split}' for split, count in made['rows'].items())}"
        )
        dropped = dict(made["card"]["dropped"])
        cut = f"; {cut} cut after their last sentence" if (cut := dropped.pop("trimmed", 0)) else ""
        say(
            "left out  "
            + ", ".join(f"{count} {why}" for why, count in dropped.items())
            + f" (training texts){cut}"
        )
        again = ["mirrorenv", "prefer", "train", "--pairs", str(made["path"])]
        next_steps.print_next(console, next_steps.pasted(again))
    if as_json:
        print_json(made)


def train(
    run: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/prefer"),
    pairs: Annotated[
        Path | None, typer.Option(help="Pair file; without one, first texts are generated.")
    ] = None,
    both_ways: Annotated[
        bool, typer.Option(help="Take rejected texts as their author's own, too.")
    ] = False,
    config: ConfigFiles = None,
    overrides: Set = None,
    player: Player = None,
    model: Model = None,
    device: Device = "auto",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes on Ray that train together (0: this one).")
    ] = 0,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="GPUs that Ray keeps for each worker.")
    ] = 0,
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster for the workers; auto is this machine's.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tune a population and write its page. The same command resumes a run that was cut short.

    `accelerate launch -m mirrorenv prefer train ...` and `--workers` have several processes share
    every step.
    """
    settings = _settings(config, overrides, player, model)
    given = None
    if pairs is not None:
        given, settings = _given(pairs, settings, both_ways)
    require_all(*_TUNING)
    from mirrorenv.preference.workers import join_workers, launched_processes
    from mirrorenv.results.runs.lock import refuse_second_writer
    from mirrorenv.results.runs.place import run_at

    if launched_processes() == 1:  # of several, the first one holds it
        refuse_second_writer(run)
    there = run_at(run)  # what was mistyped is said before torch is loaded

    from mirrorenv.preference.callbacks import RunCallbacks
    from mirrorenv.preference.report import summary, write_report
    from mirrorenv.preference.run import train as run_training

    if workers and launched_processes() > 1:
        raise ConfigError(
            "--workers has Ray start processes, and a launcher has started some already; use one "
            "of them"
        )
    team = join_workers(device)
    quiet = quiet or not team.is_main
    if not (quiet or overwrite) and there is not None and there.status == "finished":
        say(f"{in_one_line(run)} is already finished; --overwrite trains it again")
    display = _Display(quiet)
    kept: dict[str, Any] = {
        "pairs": given,
        "if_exists": "overwrite" if overwrite else "resume",
        "device": device,
        "callbacks": RunCallbacks(display.stage, display.evaluation, display.note),
    }
    with display:
        if workers:
            require("ray", "train")
            from mirrorenv.preference.on_ray import train_on_ray

            folder = train_on_ray(
                settings,
                run,
                workers=workers,
                gpus_per_worker=gpus_per_worker,
                address=ray_address,
                **kept,
            )
        else:
            folder = run_training(settings, run, workers=team, **kept)
    team.close()
    if not team.is_main:
        return
    with next_steps.page_can_wait(folder.path):
        page = write_report(folder.path)
    found = summary(folder.evaluations())
    if not quiet:
        say_places(run_folder=folder.path, page=page)
    if as_json:
        print_json({**found, "run": str(folder.path), "page": str(page)})


def demo(
    run: Annotated[Path, typer.Option(help="Run folder; the same one goes on.")] = Path(
        "runs/prefer-demo"
    ),
    overrides: Set = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tune three voices for a few minutes on the small language model of the package, on this
    machine."""
    preset = str(package_files("mirrorenv.preference").joinpath("demo.toml"))
    say(
        "Three personas write, and are tuned to know their own texts: about five minutes of one "
        "core."
    )
    train(
        run,
        config=[Path(preset)],
        overrides=overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
    )
    say(f"Open this page:\n  {(run / 'report.html').resolve().as_uri()}")


def _given(path: Path, settings: Any, both_ways: bool) -> tuple[Any, Any]:
    from mirrorenv.preference.pairs import read_pairs
    from mirrorenv.preference.settings import PreferenceSettings

    data = settings.data
    found = read_pairs(
        path, tuning=data.tuning, held_out=data.held_out, seed=settings.seed, both_ways=both_ways
    )
    known = {player.name: player.persona for player in data.players}
    if len(found.players) > 16:
        raise ConfigError(
            f"{path} names {len(found.players)} players; at most 16 can be tuned together"
        )
    values = settings.model_dump(mode="json")
    values["data"]["players"] = [
        {"name": name, "persona": known.get(name, "")} for name in found.players
    ]
    if found.system is not None:  # what was asked for in the file is asked for in the training
        values["data"]["neutral"] = found.system
    return found, PreferenceSettings.checked(values)


def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")], as_json: Json = False
) -> None:
    """Write the page of a run again."""
    from mirrorenv.preference.report import write_report

    page = write_report(run)
    if as_json:
        print_json({"page": str(page)})
    else:
        print_path(page)


add_commands(prefer, generate, train, demo, report, once={"demo": {"out": "run"}})
