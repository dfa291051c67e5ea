"""The doors of folders that somebody sends."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz import folders
from tests.fuzz.doors import Draw, broken_bytes, broken_folder, door


@door("a result folder")
def result(place: Path, draw: Draw) -> object:
    from mirrorenv.results.folders.verify import verify_result

    return verify_result(broken_folder(place, draw, "result", ".json", ".npz"))


@door("the tables of a result")
def result_tables(place: Path, draw: Draw) -> object:
    import numpy as np

    from mirrorenv.results.folders.tables import read_table, write_table
    from mirrorenv.results.folders.verify import verify_result

    folder = folders.copy_of("result", place.parent / "whole", place / "result")
    file = draw(st.sampled_from(folders.files_of(folder, ".npz")))
    table = read_table(file)
    name = draw(st.sampled_from(sorted(table)))
    column = np.asarray(table[name])
    how = draw(st.integers(0, 7))
    if how == 0:
        del table[name]
    elif how == 1:
        table[name] = ["x"] * len(column)
    elif how == 2:
        table[name] = column[:, None]
    elif how == 3:
        table[name] = column.astype(draw(st.sampled_from(["float32", "int8", "bool", "uint64"])))
    elif how == 4:
        table = {key: np.asarray(one)[:0] for key, one in table.items()}
    elif how == 5:
        table[name] = np.full_like(column, draw(st.sampled_from([0, 1, 7, 100])))
    elif how == 6 and column.dtype.kind == "f":
        table[name] = np.full_like(column, draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e30])))
    else:
        table["extra"] = column
    file.unlink()
    if table:
        write_table(folder, file.stem, table, "npz")
    folders.sign(folder)
    return verify_result(folder)


@door("a submission to the board")
def submission(place: Path, draw: Draw) -> object:
    from mirrorenv.results.board.board import collect, result_folders
    from mirrorenv.results.board.check import check_submission
    from mirrorenv.results.board.page import board_page
    from mirrorenv.results.board.text import markdown

    folder = broken_folder(place, draw, "result", ".json")
    sections = collect(result_folders([folder]), {})
    board_page(sections, place / "b.html")
    markdown(sections, place / "b.md")
    return check_submission(folder, {})


@door("a riddle to share")
def share(place: Path, draw: Draw) -> object:
    from mirrorenv.results.folders.sharing import share_unlabelled

    folder = broken_folder(place, draw, "result", ".json", ".npz")
    shutil.rmtree(place / "riddle", ignore_errors=True)
    return share_unlabelled(folder, place / "riddle", "npz")


@door("the report of a run")
def report(place: Path, draw: Draw) -> object:
    from mirrorenv.cli.run_kinds import kind_of
    from mirrorenv.results.runs.run_folder import RunFolder

    folder = broken_folder(place, draw, "run", ".json", ".jsonl")
    return kind_of(RunFolder.open(folder).config).write_page(folder, None)


@door("runs for marl-eval")
def marl_eval(place: Path, draw: Draw) -> object:
    from mirrorenv.results.stats.marl_eval import marl_eval_of_runs

    return marl_eval_of_runs([broken_folder(place, draw, "run", ".json", ".jsonl")])


@door("runs to compare")
def compare(place: Path, draw: Draw) -> object:
    from mirrorenv.results.stats.run_results import read_results

    return read_results([broken_folder(place, draw, "run", ".json", ".jsonl")])


@door("a checkpoint")
def checkpoint(place: Path, draw: Draw) -> object:
    from mirrorenv.population.checkpoint import load_population, world_of

    folder = broken_folder(place, draw, "checkpoint", ".json", ".safetensors")
    _, about = load_population(folder)
    return world_of(about)


@door("weights of a result")
def weights(place: Path, draw: Draw) -> object:
    from mirrorenv.population.weight_file import put_weights, weight_bytes
    from tests.population.small import population

    held = population()
    return put_weights(held, broken_bytes(draw, weight_bytes(held)), "here")
