"""The run: write, pair, a few steps, measure, and again; resumed by the same call. Needs the extra ``trl``.

A round is whole or not at all: texts are kept as they are written, and everything else at the end of the round, so that
a killed run repeats the round it was in and comes to the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.debate.local import load_model
from mirrorenv.preference.card import data_card
from mirrorenv.preference.heads import Heads
from mirrorenv.preference.measure import beyond_bound, instructions, measure_texts
from mirrorenv.preference.pairing import shuffled_owners
from mirrorenv.preference.pairs import PairFile, Text, kept_texts
from mirrorenv.preference.roads import head_figures, improve_by_heads, improve_by_pairs, teach
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.state import Progressed, load_round, save_round
from mirrorenv.preference.topics import SPLITS, Split, TopicSplit, split_topics, topics_of
from mirrorenv.preference.voices import Voices
from mirrorenv.preference.writing import Notebook, generate
from mirrorenv.results.files import atomic_write_json, atomic_write_text, json_lines
from mirrorenv.results.run_folder import IfExists, RunFolder

__all__ = ["CARD", "TEXTS", "Watch", "adapted_beta", "topics_for", "train", "voices_for"]

TEXTS, CARD, VOICES = "texts.jsonl", "data_card.json", "voices"
_HARDER, _SLOWER = 2.0, 0.5  # what a rolled-back player's KL weight and step size are multiplied by
_ADAPT, _SLACK = 1.5, 1.5  # KL weight after a round, and how far from the budget it stays as it is


@dataclass(frozen=True)
class Watch:
    """Who is told how a run goes on.

    Attributes:
        stage: (what, done, of).
        evaluation: a row of ``evaluations.jsonl``.
        note: something a person should know, such as a rollback.
    """

    stage: Callable[[str, int, int], None] = lambda what, done, of: None
    evaluation: Callable[[dict[str, Any]], None] = lambda row: None
    note: Callable[[str], None] = lambda text: None


def topics_for(settings: PreferenceSettings) -> TopicSplit:
    """The topics of a run, split before anything is written."""
    data = settings.data
    return split_topics(topics_of(data.topics), data.tuning, data.held_out, settings.seed, data.most_topics)


@contextmanager
def voices_for(settings: PreferenceSettings) -> Iterator[Voices]:
    """The population on its base model, which is left as it was found."""
    base = load_model(settings.model, settings.dtype)
    learning = settings.learning
    voices = Voices(base, settings.names, learning.rank, learning.targets, settings.seed)
    try:
        yield voices
    finally:
        voices.close()


def train(
    settings: PreferenceSettings,
    path: Path,
    *,
    pairs: PairFile | None = None,
    if_exists: IfExists = "resume",
    watch: Watch = Watch(),
) -> RunFolder:
    """Tune a population, and go on with a run that was cut short.

    Args:
        settings: of the run.
        path: the run folder.
        pairs: first texts from a file; None has the untouched model write them under each player's persona.
        if_exists: what to do with a run that is there.
        watch: who is told.

    Returns:
        the folder, finished.

    Raises:
        MirrorError: see the message; the same call goes on where it stopped.
    """
    config = {**settings.model_dump(mode="json"), "room": "preference", "first_texts": _digest(pairs)}
    if if_exists == "overwrite" and (path / "run.json").is_file():  # first, so that no run begins with another's texts
        (path / TEXTS).unlink(missing_ok=True)
    folder = RunFolder.create(path, config, settings.seed, if_exists=if_exists)
    if folder.status == "finished":
        return folder
    with voices_for(settings) as voices:
        _Loop(settings, folder, voices, pairs, watch).run()
    folder.finish()
    return folder


class _Loop:
    def __init__(
        self, settings: PreferenceSettings, folder: RunFolder, voices: Voices, pairs: PairFile | None, watch: Watch
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.settings, self.folder, self.voices, self.watch = settings, folder, voices, watch
        self.topics = topics_for(settings) if pairs is None else pairs.topics
        self.notebook = Notebook(folder.path / TEXTS)
        self.given = pairs
        self.board = SummaryWriter(str(folder.tensorboard_path))
        self.heads = Heads(len(voices))
        count, learning = len(voices), settings.learning
        self.state = Progressed(
            [settings.loss.beta] * count, [learning.learning_rate] * count, optimisers=[None] * count
        )

    def run(self) -> None:
        first = self._first_texts()
        checkpoints = self.folder.checkpoints()
        if checkpoints:
            self.state = load_round(checkpoints[-1], self.voices, self.heads)
            self.folder.rewind(int(checkpoints[-1].name))
            self._forget_the_end()
        else:
            self.folder.rewind(-1)
            atomic_write_json(self.folder.path / CARD, data_card(self.voices, first, self.topics, self.settings))
            self._begin(first)
        while self.state.round < self.settings.learning.rounds and self.state.stale < self.settings.learning.patience:
            self._round(first)
        self._end(first)
        self.board.close()

    def _first_texts(self) -> list[Text]:
        if self.given is not None:
            return list(self.given.texts)
        return generate(
            self.settings, self.voices, self.topics, self.notebook, SPLITS, samples=self.settings.data.samples,
            round=-1, tuned=False, progress=self.watch.stage,
        )  # fmt: skip

    def _fresh(self, split: Split, version: int, samples: int) -> list[Text]:
        return generate(
            self.settings, self.voices, self.topics, self.notebook, [split], samples=samples, round=version, tuned=True,
            progress=self.watch.stage,
        )  # fmt: skip

    def _measure(self, first: list[Text], split: Split, version: int) -> dict[str, Any]:
        """An evaluation row without its place in the run."""
        run = f"{self.settings.seed}/{split}/{version}"
        told = [one for one in first if one.split == split]
        fresh = self._fresh(split, version, self.settings.measure.samples)
        row: dict[str, Any] = {"split": split}
        for name, texts in (("first", told), ("fresh", fresh)):
            row[name] = measure_texts(self.voices, texts, self.topics, self.settings, f"{run}/{name}", self.watch.stage)
        if self.settings.road == "head":
            row["head"] = head_figures(self.voices, self.heads, fresh, self.settings, f"{run}/head")
        if self.settings.measure.instructions:
            row["instructions"] = instructions(self.voices, self.settings)
        return row

    def _begin(self, first: list[Text]) -> None:
        if self.settings.road == "head":
            teach(self.voices, self.heads, self._training_texts(first), self.settings)
        row = self._measure(first, "tuning", 0)
        self.state.reference = row["first"]["useful"]
        self.state.best_rank = _rank(row)
        self._log(row, 0)
        self._save()

    def _round(self, first: list[Text]) -> None:
        state, number = self.state, self.state.round + 1
        before = list(self.voices.states), list(self.heads.states), list(state.optimisers)
        losses = self._improve(first, number)
        row = self._measure(first, "tuning", number)
        beyond = beyond_bound(row["fresh"]["useful"], state.reference, self.settings.bound)
        row |= {"rolled_back": bool(beyond), "reasons": beyond, "betas": list(state.betas), "rates": list(state.rates)}
        state.round = number
        if beyond:
            self.voices.states, self.heads.states, state.optimisers = before
            self._hold_back(beyond, number)
        else:
            state.version = number
            self._accept(row, number)
        self._log(row, number, losses)
        self._save()

    def _improve(self, first: list[Text], number: int) -> list[dict[str, float]]:
        voices, settings, state, stage = self.voices, self.settings, self.state, self.watch.stage
        if settings.road == "pairs":
            return improve_by_pairs(
                voices, self._training_texts(first, state.version), settings, state, number, stage
            )  # fmt: skip
        losses = improve_by_heads(voices, self.heads, self.topics.train, settings, state, number, stage)
        teach(voices, self.heads, self._training_texts(first, number), settings)
        return losses

    def _training_texts(self, first: list[Text], version: int = 0) -> list[Text]:
        """First texts to begin with, then what the players say, each without what cannot be used."""
        texts = [one for one in first if one.split == "train"]
        if version > 0 and (self.settings.learning.on_policy or self.settings.road == "head"):
            texts = self._fresh("train", version, self.settings.data.samples)
        kept, _ = kept_texts(texts, self.settings.data.truncated)
        return shuffled_owners(kept, self.settings) if self.settings.control == "shuffled_ownership" else kept

    def _hold_back(self, beyond: dict[str, list[str]], number: int) -> None:
        state = self.state
        for player, name in enumerate(self.settings.names):
            if name in beyond:
                state.betas[player] *= _HARDER
                state.rates[player] *= _SLOWER
        state.stale += 1
        why = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in beyond.items())
        self.watch.note(
            f"round {number} is rolled back: {why}. They go on with twice the KL weight and half the step size"
        )

    def _accept(self, row: dict[str, Any], number: int) -> None:
        state, budget = self.state, self.settings.loss.kl_budget
        if _rank(row) > state.best_rank:
            state.best, state.best_rank, state.stale = number, _rank(row), 0
        else:
            state.stale += 1
        if budget is None:
            return
        for player, name in enumerate(self.settings.names):
            state.betas[player] = adapted_beta(state.betas[player], row["fresh"]["useful"][name]["kl"], budget)

    def _end(self, first: list[Text]) -> None:
        """Measure the best round on the held-out topics, and leave its adapters where peft finds them."""
        state = self.state
        load_round(self.folder.checkpoint_path(state.best * self.settings.learning.steps), self.voices, self.heads)
        row = self._measure(first, "held_out", state.best)
        for player, name in enumerate(self.settings.names):
            self.voices.put_in(player)
            self.voices.peft.save_pretrained(str(self.folder.path / VOICES / name))
        self._log(row | {"best": state.best, "rounds": state.round}, state.round)

    def _forget_the_end(self) -> None:
        """Drop the row of the held-out topics, which a run killed after its last round may have written."""
        rows = [row for row in self.folder.evaluations() if row["split"] != "held_out"]
        atomic_write_text(self.folder.path / "evaluations.jsonl", json_lines(rows))

    def _save(self) -> None:
        with self.folder.new_checkpoint(self.state.round * self.settings.learning.steps) as path:
            save_round(path, self.voices, self.heads, self.state)

    def _log(self, row: dict[str, Any], number: int, losses: list[dict[str, float]] | None = None) -> None:
        steps = number * self.settings.learning.steps
        row = {"iteration": number, "env_steps": steps, **row}
        self.folder.log_evaluation(row)
        figures = _figures(row) | {
            f"train/{name}/{key}": value
            for name, found in zip(self.settings.names, losses or [], strict=False)
            for key, value in found.items()
        }
        if row["split"] == "tuning":
            self.folder.log_metrics({"iteration": number, "env_steps": steps, **figures})
        for key, value in figures.items():
            self.board.add_scalar(f"{row['split']}/{key}", value, steps)
        self.watch.evaluation(row)


def adapted_beta(beta: float, moved: float, budget: float) -> float:
    """The next KL weight of a player: more if it moved well beyond the budget, less if well within.

    Args:
        beta: of the last round.
        moved: nats per token from the untouched model.
        budget: nats per token.
    """
    if moved > budget * _SLACK:
        return beta * _ADAPT
    return beta / _ADAPT if moved < budget / _SLACK else beta


def _digest(pairs: PairFile | None) -> str | None:
    """What first texts a run began with: the hash of a file's texts, None for texts of its own."""
    if pairs is None:
        return None
    return hashlib.sha256(json_lines(one.to_row() for one in pairs.texts).encode()).hexdigest()


def _rank(row: dict[str, Any]) -> list[float]:
    """What rounds are compared by: accuracy first, nats where accuracies are equal, which few lineups often make them.

    On the road with pairs: own against other by whole texts, mean over players and over first and fresh texts. On the
    road with heads: what the heads name rightly, and their information.
    """
    if "head" in row:
        return [float(row["head"][name]["value"]) for name in ("top1", "information")]
    found = [row[kind]["recognition"]["sum"] for kind in ("first", "fresh")]
    return [float(sum(one[name]["value"] for one in found) / 2) for name in ("joint", "margin")]


def _figures(row: dict[str, Any]) -> dict[str, float]:
    fresh = row["fresh"]
    found = {f"recognition/{way}": fresh["recognition"][way]["joint"]["value"] for way in ("sum", "per_token", "pmi")}
    found["recognition/first_texts"] = row["first"]["recognition"]["sum"]["joint"]["value"]
    if "head" in row:
        found["recognition/head"] = row["head"]["top1"]["value"]
    for name, useful in fresh["useful"].items():
        for key in ("perplexity", "kl", "length", "unfinished"):
            found[f"{key}/{name}"] = useful[key]
        for key in ("repetition", "relevance"):
            found[f"{key}/{name}"] = useful[key]["value"]
    return {key: float(value) for key, value in found.items() if value is not None}
