"""Who looks further than files, scores and steps: the weights, and the training itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli._common import require_all, say
from mirrorenv.results.folders.proof import Proof, Prover
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.tables import Table

__all__ = ["Proofs", "provers_of"]

Proofs = Annotated[
    Path | None,
    typer.Option(
        "--proofs", help="A file of your own: how far results were proved is added to it."
    ),
]


def provers_of(*, retrain: bool) -> tuple[Prover, ...]:
    """Those that the command line asks for and this installation has.

    Args:
        retrain: whether to train again.

    Raises:
        MissingExtraError: if training is asked for and the extra `train` is not installed.
    """
    if retrain:
        require_all("train", "torch", "safetensors", "tensorboard")
        return _by_weights, _by_training
    if find_spec("torch") is None or find_spec("safetensors") is None:
        return (_without_torch,)
    return (_by_weights,)


def _without_torch(folder: ResultFolder, tables: Mapping[str, Table]) -> Proof:
    if folder.result.weights is None:
        return Proof()
    missing = "reading weights needs torch: pip install '.[train]'"
    return Proof(unchecked=(missing,))


def _by_weights(folder: ResultFolder, tables: Mapping[str, Table]) -> Proof:
    if folder.result.weights is None:  # nothing slow is loaded for what is not there
        return Proof()
    from mirrorenv.population.proof import prove_from_weights

    return prove_from_weights(folder, tables)


def _by_training(folder: ResultFolder, tables: Mapping[str, Table]) -> Proof:
    from mirrorenv.rllib.retrain import retrain

    return retrain(folder, tables, say=say)
