"""`mirrorenv debate demo` and `serve`: a language model in this process plays, or answers on
loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli._common import Json, Quiet, print_json, say
from mirrorenv.cli.debate_run import run as play
from mirrorenv.plain_text import in_one_line

__all__ = ["demo", "serve"]


def demo(
    run: Annotated[Path, typer.Option(help="Folder; the same one goes on.")] = Path(
        "runs/debate-demo"
    ),
    games: Annotated[int, typer.Option(min=1, help="About 50 CPU seconds each.")] = 3,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Play a real tournament: one small language model under four personas, on this machine,
    without a key."""
    from mirrorenv.debate.starter import write_starter
    from mirrorenv.llm.engine import engine_of
    from mirrorenv.llm.options import BUILT_IN
    from mirrorenv.llm.weights import is_unpacked

    engine_of(BUILT_IN)  # says at once what is not installed
    file = run / "start" / "tournament.toml"
    if not file.exists():
        write_starter(file.parent, "local")
    say(f"file      {in_one_line(file)}")
    if not is_unpacked(BUILT_IN):
        say("The model's weights are unpacked first, this once: about a minute.")
    play(file, run=run / "run", games=games, quiet=quiet, as_json=as_json)
    say(f"Open this page:\n  {(run / 'run' / 'index.html').resolve().as_uri()}")


def serve(
    model: Annotated[
        str, typer.Option(help="smollm2, a folder for transformers, or a .gguf file.")
    ] = "smollm2",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8181,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    as_json: Json = False,
) -> None:
    """Offer a local model as an OpenAI-compatible endpoint on 127.0.0.1, and nowhere else, until
    interrupted."""
    from mirrorenv.llm.engine import engine_of
    from mirrorenv.llm.serve import server_of

    server = server_of(engine_of(model, dtype), model, port)
    if as_json:
        address = f"http://127.0.0.1:{server.server_port}/v1"
        print_json({"model": model, "base_url": address, "port": server.server_port})
        sys.stdout.flush()  # whoever waits for it reads it now
    say(
        f"serving   {model} at http://127.0.0.1:{server.server_port}/v1 (profile 'mirrorenv'); "
        "Ctrl-C ends it"
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
