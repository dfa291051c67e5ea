"""Write the pages that the code itself knows best: worlds, settings, commands and the API.

    python docs/generate.py

Called by ``conf.py`` before each build, too. All but the API are tracked, so that they can be read
without a build, and a test compares them with what is written here. A page about a world is its
class docstring; its picture is drawn by ``gallery.py``.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).resolve().parent / "pictures" / "worlds"
ROOMS = {
    "mirror": "The test itself. NumPy and SciPy only.",
    "envs": "The worlds, and what one does to a world.",
    "instrument": "Identity of anybody's logs.",
    "results": "Run folders, result folders, statistics, the report and the leaderboard.",
    "population": "Actors, observers and baselines. Needs the extra `train`.",
    "rllib": "The population on RLlib. Needs the extra `train`.",
    "debate": "The language-model game. Endpoints need the extra `llm`, a model in this process "
    "the extra `local`.",
    "preference": "Language models tuned to be recognisable. Training needs the extra `trl`.",
    "sb3": "The Stable-Baselines3 face. Needs the extra `sb3`.",
}


def tracked_pages() -> dict[str, str]:
    """The generated pages that are tracked, by their path below ``docs``."""
    worlds = {f"worlds/{id.split('/')[-1]}.md": text for id, text in world_pages().items()}
    return {
        "worlds/index.md": worlds_index(),
        **worlds,
        "configuration.md": configuration_page(),
        "command-line.md": command_page(),
    }


def write_all(docs: Path) -> None:
    """Write every generated page below ``docs``; a page that did not change is left alone."""
    for name, text in tracked_pages().items():
        _write(docs / name, text)
    for room in ROOMS:
        _write(docs / "api" / f"{room}.rst", api_page(room))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:  # an untouched file is not built again
        path.write_text(text, "utf-8")


def _table(header: list[str], rows: list[list[str]]) -> str:
    cells = [header, ["---"] * len(header), *[[_cell(text) for text in row] for row in rows]]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def _cell(text: str) -> str:
    """Text that stays in its cell, and `<seed>` that stays text, outside of code."""
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _own_worlds() -> dict[str, Any]:
    import mirrorenv

    return {id: spec for id, spec in mirrorenv.registry().items() if id.startswith("mirrorenv/")}


def worlds_index() -> str:
    """All registered worlds in one table."""
    rows = []
    for id, spec in _own_worlds().items():
        reward = "team" if spec.team_reward else "own"
        rows.append(
            [
                f"[`{id}`]({id.split('/')[-1]}.md)",
                spec.description,
                reward,
                spec.leaks or "none known",
            ]
        )
    pages = "\n".join(id.split("/")[-1] for id in _own_worlds())
    return (
        "# Worlds\n\n"
        "A world is written once, as a batch of copies, and has two faces: "
        "`mirrorenv.make_batch(id, num_envs)` gives "
        "arrays, `mirrorenv.make(id)` gives a PettingZoo `ParallelEnv` that plays the same episode "
        "for the same seed. "
        "The version at the end of an id rises whenever a recorded episode would change.\n\n"
        + _table(
            ["world", "what it is", "reward", "what tells agents apart besides behaviour"], rows
        )
        + "\nWorlds that draw themselves are shown at the start, half way and at the end of an "
        "episode of their best scripted team; the others by their actions, a row for each agent, a "
        "colour for each action. `mirrorenv play NAME --gif FILE` makes them move.\n\n"
        + _gallery()
        + f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    )


def _gallery() -> str:
    """Every world that has a picture, with what happens in it."""
    shown = []
    for id, spec in _own_worlds().items():
        name = id.split("/")[-1]
        if (PICTURES / f"{name}.png").is_file():
            shown.append(f"## {name}\n\n{_picture(id, spec)}\n\n[`{id}`]({name}.md)\n")
    return "\n".join(shown)


def _picture(id: str, spec: Any) -> str:
    name = id.split("/")[-1]
    return f"![{spec.description}](../pictures/worlds/{name}.png)"


def world_pages() -> dict[str, str]:
    """One page for each world of this package: its facts from the registry, then its class
    docstring."""
    return {id: _world_page(id, spec) for id, spec in _own_worlds().items()}


def _world_page(id: str, spec: Any) -> str:
    import mirrorenv

    text = inspect.getdoc(spec.load()) or ""
    if spec.kind == "text":
        return _text_world_page(id, spec, text)
    world = mirrorenv.make_batch(id, 1)
    facts = [
        ["id", f"`{id}`"],
        ["agents", f"{world.num_agents} (`{world.agents[0]}` ...)"],
        ["observation of one agent", f"`{world.observation_space}`"],
        ["action of one agent", f"`{world.action_space}`"],
        ["steps at most", str(world.horizon)],
        ["reward", "the team's, shared" if spec.team_reward else "each agent's own"],
        [
            "slots exchangeable, so that the exact limit holds",
            "yes" if spec.slot_exchangeable else "no",
        ],
        ["identity leaks through", spec.leaks or "nothing known"],
    ]
    first, _, rest = text.partition("\n")
    code = (
        f'```python\nimport mirrorenv\n\nenv = mirrorenv.make("{id}")\nbatch = '
        f'mirrorenv.make_batch("{id}", 64)\n```\n'
    )
    name = id.split("/")[-1]
    table = _table(["", ""], facts)
    drawn = f"{_picture(id, spec)}\n\n" if (PICTURES / f"{name}.png").is_file() else ""
    return f"# {name}\n\n{first}\n\n{drawn}{table}\n{code}\n{rest.strip()}\n\n{_audit_section(id)}"


def _text_world_page(id: str, spec: Any, text: str) -> str:
    """The page of a world that speaks: it has no batch of arrays and no recorded leak audit."""
    import mirrorenv

    env = mirrorenv.make(id)
    facts = [
        ["id", f"`{id}`"],
        ["agents", f"{len(env.possible_agents)} (`{env.possible_agents[0]}` ...)"],
        ["steps at most", str(env.max_cycles)],
        ["reward", "each agent's own"],
        ["identity leaks through", spec.leaks or "nothing known"],
    ]
    first, _, rest = text.partition("\n")
    code = f'```python\nimport mirrorenv\n\nenv = mirrorenv.make("{id}")\n```\n'
    return (
        f"# {id.split('/')[-1]}\n\n{first}\n\n{_table(['', ''], facts)}\n{code}\n{rest.strip()}\n"
    )


def _audit_section(id: str) -> str:
    """The recorded leak audit of a world; it takes a minute, so it is not run for every build."""
    from mirrorenv.envs.audit import HEADER, AuditReport

    path = Path(__file__).parent / "audit" / f"{id.split('/')[-1]}.json"
    command = f"mirrorenv audit {id} --episodes"
    if not path.is_file():
        return f"## Leak audit\n\nNot recorded yet: `{command} 1000`.\n"
    report = AuditReport.from_json(json.loads(path.read_text("utf-8")))
    carriers = ", ".join(f"`{carrier.column}`" for carrier in report.carriers()[:5])
    result = (
        f"**A leak**, carried by {carriers} and what follows from them."
        if report.leaks
        else "No leak found."
    )
    return (
        f"## Leak audit\n\n    {command} {report.episodes}\n\nAll agents run one identical policy, "
        "so whatever names "
        f"them is the world's doing ([how](../auditing.md)). {result}\n\n"
        + _table(list(HEADER), report.rows())
        + f"\n{report.power()}\n"
    )


_CONFIGURATION = """# Configuration

`mirrorenv settings train` prints the first part of this page, `mirrorenv settings mirror.weight`
one setting.

## Training

A run is one typed model of settings. Give them in a TOML or YAML file, change single ones with
`--set a.b=value`; an unknown key is an error. The resolved settings are kept in `config.json` of
the run folder, and the same names are the arguments of `MirrorPPOConfig().mirror(...)`,
`.population(...)` and `.learning(...)`.

```toml
world = "mirrorenv/ants-v0"
seed = 3

[mirror]
weight = 0.5
credit = "team"

[population]
weights = "shared"
```
"""
_TITLES = {"debate": "Debate", "prefer": "Self versus other"}


def configuration_page() -> str:
    """Every setting that `mirrorenv settings` lists: name, type, range, default, meaning."""
    from mirrorenv.cli.settings import KINDS

    parts = [_CONFIGURATION]
    for kind, about in KINDS.items():
        if kind in _TITLES:
            parts.append(f"## {_TITLES[kind]}\n\n`{about.typed}`\n")
        for title, sections in about.parts().items():
            parts += [f"### {title}\n"] if title else []
            parts += map(_settings_section, sections)
    return "\n".join(parts)


def _settings_section(section: Any) -> str:
    title = f"### `{section.name}`\n\n" if section.name else ""
    rows = [
        [f"`{one.name}`", one.type, one.range, f"`{one.default}`", one.meaning]
        for one in section.settings
    ]
    table = _table(["setting", "type", "range", "default", "meaning"], rows)
    return f"{title}{section.about}\n\n{table}"


_VOCABULARY = """One word has one meaning on every command line. Standard output is for results,
standard error for people.

| option | meaning |
| --- | --- |
| `--run` | where a run lives: it is made there, or goes on |
| `--out` | what is written |
| `--set world_options.N=4` | an argument of the world; `N=4` where nothing else can be set |
| `--set a.b=c` | any setting of a run: `mirrorenv settings` lists them |
| `--world`, `--code` | code that a run or a result names and that you trust; no other is run |
| `--json` | one object as the last line of standard output; errors: `error`, `kind`, `exit_code` |
| `--quiet`, `-q` | no progress, no tables, no hints; errors are said |
| `--help`, `-h`; `--version` | these words; the version |

| exit code | meaning |
| --- | --- |
| 0 | done; of commands that check: nothing is wrong |
| 1 | it could not be done, or something is wrong; the message says what |
| 2 | wrong usage: an unknown option, setting or name, or a value of the wrong kind, in a file too |
| 130 | interrupted; the same command goes on with a run |

`mirrorenv --install-completion` lets your shell complete commands, options and worlds.
`mirrorenv worlds NAME` lists the arguments of a world.

Old spellings go on working and are shown nowhere else: `--out` for the `--run` of `debate run`,
`debate demo` and `prefer demo`, and a bare path for the `--out` of `results share` and
`debate export`. The command `rllib` is apart: [it keeps the names](rllib-command.md) of the command
that Ray once had.
"""


def command_page() -> str:
    """Every command with its arguments and options, as the parser knows them."""
    import typer

    from mirrorenv.cli import app as cli

    root = typer.main.get_command(cli.app)
    lines = ["# Command line\n", f"{(root.help or '').strip()}\n", f"{_VOCABULARY}\n"]
    for name, command in sorted(getattr(root, "commands", {}).items()):
        if not command.hidden:
            lines += _command_section(name, command)
            for inner, part in sorted(getattr(command, "commands", {}).items()):
                lines += _command_section(f"{name} {inner}", part)
    return "\n".join(lines)


def _command_section(name: str, command: Any) -> list[str]:
    usage, rows = [f"mirrorenv {name}"], []
    for parameter in command.params:
        if parameter.hidden:
            continue
        names = ", ".join(f"`{option}`" for option in [*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            title = (parameter.name or "").upper()
            usage.append(title if parameter.required else f"[{title}]")
            names = f"`{title}`"
        unset = parameter.default is None or parameter.default is False or parameter.default == ()
        shown = "" if unset else f"`{parameter.default}`"
        rows.append([names, " ".join((getattr(parameter, "help", "") or "").split()), shown])
    if any(parameter.param_type_name == "option" for parameter in command.params):
        usage.append("[OPTIONS]")
    section = [
        f"## mirrorenv {name}\n\n```text\n{' '.join(usage)}\n```\n",
        f"{inspect.cleandoc(command.help or '')}\n",
    ]
    return [*section, _table(["option", "meaning", "default"], rows)] if rows else section


def api_page(room: str) -> str:
    """Everything a room's facade offers, grouped by the file it lives in, with that file's own
    words first."""
    title = f"mirrorenv.{room}"
    lines = [
        title,
        "=" * len(title),
        "",
        ROOMS[room].replace("`", "``"),
        "",
        f".. py:module:: mirrorenv.{room}",
        "",
    ]
    try:
        things = _offered(room)
    # an extra is missing: the page says so instead of failing the build
    except ImportError as error:
        return "\n".join([*lines, f"Not built here: {error}", ""])
    for home, names in things.items():
        words = home.removeprefix("mirrorenv.")
        lines += [words, "-" * len(words), "", f".. automodule:: {home}", "   :no-index:", ""]
        for name, directive in names:
            lines += [f".. {directive}:: mirrorenv.{room}.{name}", ""]
            if directive == "autoclass":
                lines[-1:] = ["   :members:", ""]
    return "\n".join(lines)


def _offered(room: str) -> dict[str, list[tuple[str, str]]]:
    """The facade's names by the module that defines them, each with its autodoc directive."""
    module = import_module(f"mirrorenv.{room}")
    found: dict[str, list[tuple[str, str]]] = {}
    for name in module.__all__:
        thing = getattr(module, name)
        home = getattr(thing, "__module__", "")
        if not home.startswith("mirrorenv."):
            continue  # constants and type aliases: their text stands where they are used
        directive = (
            "autoexception"
            if _is_error(thing)
            else "autoclass"
            if inspect.isclass(thing)
            else "autofunction"
        )
        found.setdefault(home, []).append((name, directive))
    return dict(sorted(found.items()))


def _is_error(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, BaseException)


if __name__ == "__main__":
    write_all(Path(__file__).resolve().parent)
