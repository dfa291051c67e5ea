"""The commands `mirrorenv debate ...`: the language-model game as a tournament."""

from __future__ import annotations

import typer

from mirrorenv.cli.debate_local import demo, serve
from mirrorenv.cli.debate_play import check, init, plan
from mirrorenv.cli.debate_read import export, inspect_log, rate, replay, score, view
from mirrorenv.cli.debate_rescore import rescore
from mirrorenv.cli.debate_run import run
from mirrorenv.cli.debate_set import set
from mirrorenv.entry import add_commands

__all__ = ["debate"]

debate = typer.Typer(
    no_args_is_help=True,
    help="Debate-unshuffle: language models say who wrote what. Each command has its own --help.",
)
_OUT = {"out": "run"}  # what a run folder was called before it was --run everywhere
add_commands(
    debate,
    init,
    check,
    plan,
    run,
    set,
    score,
    rescore,
    rate,
    view,
    replay,
    export,
    inspect_log,
    demo,
    serve,
    once={"run": _OUT, "demo": _OUT},
)
