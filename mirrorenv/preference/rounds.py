"""The rounds of a run: write, pair, a few steps, measure, and again. Needs the extra ``trl``.

A round is whole or not at all: texts are kept as they are written, and everything else at the end
of the round, so that a killed run repeats the round it was in and comes to the same numbers. Any
number of workers goes through the same rounds; the first of them owns the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mirrorenv.preference.card import data_card
from mirrorenv.preference.heads import Heads
from mirrorenv.preference.measure import beyond_bound, instructions, measure_texts
from mirrorenv.preference.pairing import shuffled_owners
from mirrorenv.preference.pairs import PairFile, Text, kept_texts
from mirrorenv.preference.roads import head_figures, improve_by_heads, improve_by_pairs, teach
from mirrorenv.preference.settings import NOTHING_KEPT, PreferenceSettings
from mirrorenv.preference.state import Progressed, load_round, save_round
from mirrorenv.preference.topics import SPLITS, Split, TopicSplit, split_topics, topics_of
from mirrorenv.preference.voices import Voices
from mirrorenv.preference.workers import Workers
from mirrorenv.preference.writing import Notebook, generate
from mirrorenv.results.runs.files import atomic_write_json, atomic_write_text, json_lines
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["CARD", "SILENT", "TEXTS", "Rounds", "Watch", "adapted_beta", "topics_for"]

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


SILENT = Watch()
"""Tells nobody."""


def topics_for(settings: PreferenceSettings) -> TopicSplit:
    """The topics of a run, split before anything is written."""
    data = settings.data
    return split_topics(
        topics_of(data.topics), data.tuning, data.held_out, settings.seed, data.most_topics
    )


class Rounds:
    """One run, from its first texts to its last row."""

    def __init__(
        self,
        settings: PreferenceSettings,
        folder: RunFolder,
        voices: Voices,
        pairs: PairFile | None,
        watch: Watch,
        workers: Workers,
    ) -> None:
        self.settings, self.folder, self.voices, self.workers = settings, folder, voices, workers
        self.watch = watch if workers.leads else SILENT
        self.topics = topics_for(settings) if pairs is None else pairs.topics
        self.notebook = Notebook(folder.path / TEXTS, workers)
        self.given = pairs
        self.board = _board(folder) if workers.leads else None
        self.heads = Heads(len(voices))
        count, learning = len(voices), settings.learning
        self.state = Progressed(
            [settings.loss.beta] * count,
            [learning.learning_rate] * count,
            versions=[0] * count,
            optimisers=[None] * count,
        )

    def run(self) -> None:
        """Go through all rounds that are left, and measure the best one on the held-out topics."""
        first = self._first_texts()
        last = self.workers.first(lambda: self.folder.checkpoints()[-1:])
        if last:
            self.state = self._loaded(last[0])
            self._on_disk(lambda: self._rewind(int(last[0].name)))
        else:
            self._on_disk(lambda: self._start_anew(first))
            self._begin(first)
        while self._goes_on():
            self._round(first)
        self._end(first)
        if self.board is not None:
            self.board.close()

    def _goes_on(self) -> bool:
        state, learning = self.state, self.settings.learning
        enough = state.best > 0 and state.best_rank[-1] >= learning.enough
        return state.round < learning.rounds and state.stale < learning.patience and not enough

    def _on_disk(self, work: Callable[[], object]) -> None:
        """What only the first worker does; what goes wrong with it ends all."""

        def done() -> None:
            work()

        self.workers.first(done)

    def _loaded(self, checkpoint: Path) -> Progressed:
        """Read a checkpoint; weights go into the voices and heads of every worker."""

        def read() -> tuple[Any, Any, Progressed]:
            state = load_round(checkpoint, self.voices, self.heads)
            return self.voices.states, self.heads.states, state

        self.voices.states, self.heads.states, state = self.workers.first(read)
        return state

    def _start_anew(self, first: list[Text]) -> None:
        self.folder.rewind(-1)
        atomic_write_json(
            self.folder.path / CARD, data_card(self.voices, first, self.topics, self.settings)
        )

    def _rewind(self, steps: int) -> None:
        """Drop what was logged after a checkpoint, and the row of the held-out topics, which a run
        killed after its last round may have written."""
        self.folder.rewind(steps)
        rows = [row for row in self.folder.evaluations() if row["split"] != "held_out"]
        atomic_write_text(self.folder.path / "evaluations.jsonl", json_lines(rows))

    def _first_texts(self) -> list[Text]:
        if self.given is not None:
            return list(self.given.texts)
        return generate(
            self.settings,
            self.voices,
            self.topics,
            self.notebook,
            SPLITS,
            samples=self.settings.data.samples,
            round=-1,
            tuned=False,
            progress=self.watch.stage,
        )

    def _fresh(self, split: Split, version: int | list[int], samples: int) -> list[Text]:
        return generate(
            self.settings,
            self.voices,
            self.topics,
            self.notebook,
            [split],
            samples=samples,
            round=version,
            tuned=True,
            progress=self.watch.stage,
        )

    def _measure(self, first: list[Text], split: Split, version: int | list[int]) -> dict[str, Any]:
        """An evaluation row without its place in the run; workers share its columns.

        Args:
            first: the players' first texts.
            split: which topics.
            version: round that the voices come from, of all or of each.
        """
        run, settings = f"{self.settings.seed}/{split}/{version}", self.settings
        told = [one for one in first if one.split == split]
        fresh = self._fresh(split, version, settings.measure.samples)

        def texts(name: str, some: list[Text]) -> Callable[[], dict[str, Any]]:
            return lambda: measure_texts(
                self.voices, some, self.topics, settings, f"{run}/{name}", self.watch.stage
            )

        columns: dict[str, Callable[[], Any]] = {
            "first": texts("first", told),
            "fresh": texts("fresh", fresh),
        }
        if settings.road == "head":
            columns["head"] = lambda: head_figures(
                self.voices, self.heads, fresh, settings, f"{run}/head"
            )
        if settings.measure.instructions:
            columns["instructions"] = lambda: instructions(self.voices, settings)
        mine = self.workers.share(list(columns))
        parts = self.workers.each(lambda: {name: columns[name]() for name in mine})
        found = {name: value for part in parts for name, value in part.items()}
        return {"split": split, **{name: found[name] for name in columns}}

    def _begin(self, first: list[Text]) -> None:
        if self.settings.road == "head":
            self._teach(self._training_texts(first))
        row = self._measure(first, "tuning", 0)
        self.state.reference = row["first"]["useful"]
        self.state.best_rank = _rank(row)
        self._log(row, 0)
        self._save()

    def _teach(self, texts: list[Text]) -> None:
        def taught() -> list[Any]:
            teach(self.voices, self.heads, texts, self.settings)
            return self.heads.states

        self.heads.states = self.workers.first(taught)

    def _round(self, first: list[Text]) -> None:
        state, number = self.state, self.state.round + 1
        losses = self._improve(first, number)
        row = self._measure(first, "tuning", number)
        beyond = beyond_bound(row["fresh"]["useful"], state.reference, self.settings.bound)
        used = {"betas": list(state.betas), "rates": list(state.rates)}
        self._log(row | {"rolled_back": bool(beyond), "reasons": beyond, **used}, number, losses)
        state.round = number
        if beyond:
            self._hold_back(beyond, number)
        # those within the bounds keep what they learned, and are measured again
        if len(beyond) < len(self.voices):
            state.version = number
            state.versions = [
                state.versions[player] if name in beyond else number
                for player, name in enumerate(self.settings.names)
            ]
            if beyond:
                row = self._measure(first, "tuning", state.versions)
                self._log(row | {"rolled_back": False, "without": sorted(beyond), **used}, number)
            self._accept(row, number, beyond)
        else:
            state.stale += 1
        self._save()

    def _improve(self, first: list[Text], number: int) -> list[dict[str, float]]:
        voices, settings, state, stage = self.voices, self.settings, self.state, self.watch.stage
        if settings.road == "pairs":
            return improve_by_pairs(
                voices,
                self._training_texts(first, state.version),
                settings,
                state,
                number,
                stage,
                self.workers,
            )
        losses = improve_by_heads(
            voices, self.heads, self.topics.train, settings, state, number, stage, self.workers
        )
        self._teach(self._training_texts(first, number))
        return losses

    def _training_texts(self, first: list[Text], version: int = 0) -> list[Text]:
        """First texts to begin with, then what the players say, each without what cannot be
        used."""
        texts = [one for one in first if one.split == "train"]
        if version > 0 and (self.settings.learning.on_policy or self.settings.road == "head"):
            texts = self._fresh("train", version, self.settings.data.samples)
        kept, _ = kept_texts(texts, self.settings.data.truncated)
        return (
            shuffled_owners(kept, self.settings)
            if self.settings.control == "shuffled_ownership"
            else kept
        )

    def _hold_back(self, beyond: dict[str, list[str]], number: int) -> None:
        """Take those who broke a bound back to where they were before the round."""
        state, voices, heads = self.state, self.voices, self.heads
        tried = list(voices.states), list(heads.states), list(state.optimisers)
        before = self._loaded(
            self.folder.checkpoint_path((number - 1) * self.settings.learning.steps)
        )
        state.optimisers = before.optimisers
        for player, name in enumerate(self.settings.names):
            if name in beyond:
                state.betas[player] *= _HARDER
                state.rates[player] *= _SLOWER
                continue
            voices.states[player], state.optimisers[player] = tried[0][player], tried[2][player]
            heads.states[player] = tried[1][player]
        why = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in beyond.items())
        self.watch.note(
            f"round {number} is rolled back: {why}. They go on with twice the KL weight and half "
            "the step size"
            + ("" if len(beyond) == len(voices) else "; the others keep what they learned")
        )

    def _accept(self, row: dict[str, Any], number: int, beyond: Collection[str] = ()) -> None:
        """Compare the population that stays with the best so far, and adapt the KL weights of those
        not held back."""
        state, budget = self.state, self.settings.loss.kl_budget
        if _rank(row) > state.best_rank:
            state.best, state.best_rank, state.stale = number, _rank(row), 0
        else:
            state.stale += 1
        if budget is None:
            return
        for player, name in enumerate(self.settings.names):
            if name not in beyond:
                state.betas[player] = adapted_beta(
                    state.betas[player], row["fresh"]["useful"][name]["kl"], budget
                )

    def _end(self, first: list[Text]) -> None:
        """Measure the best round on the held-out topics, and leave its voices where peft or
        transformers find them."""
        state = self.state
        self._loaded(self.folder.checkpoint_path(state.best * self.settings.learning.steps))
        row = self._measure(first, "held_out", state.best)
        for player, name in enumerate(self.settings.names):
            self._on_disk(partial(self.voices.save, player, self.folder.path / VOICES / name))
        self._log(row | {"best": state.best, "rounds": state.round}, state.round)
        if not state.best:
            self.watch.note(NOTHING_KEPT)

    def _save(self) -> None:
        def written() -> None:
            with self.folder.new_checkpoint(
                self.state.round * self.settings.learning.steps
            ) as path:
                save_round(path, self.voices, self.heads, self.state)
            if self.voices.whole:
                self._forget_rounds()

        self._on_disk(written)

    def _forget_rounds(self) -> None:
        """Whole models are large: only the best round and the last one are kept."""
        kept = {
            number * self.settings.learning.steps for number in (self.state.best, self.state.round)
        }
        for checkpoint in self.folder.checkpoints():
            if int(checkpoint.name) not in kept:
                shutil.rmtree(checkpoint)

    def _log(
        self, row: dict[str, Any], number: int, losses: list[dict[str, float]] | None = None
    ) -> None:
        if self.board is None:
            return
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


def _board(folder: RunFolder) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder.tensorboard_path))


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


def _rank(row: dict[str, Any]) -> list[float]:
    """What rounds are compared by: recognition, then its cost where few lineups make the first
    equal; and, last, what is recognised of fresh texts.

    On the road with pairs recognition is of texts assigned by both authors together, mean over
    first and fresh texts, and the cost is how far the voices have moved, in nats per token. On the
    road with heads it is what the heads name rightly, and their information.
    """
    if "head" in row:
        top1, information = (float(row["head"][name]["value"]) for name in ("top1", "information"))
        return [top1, information, top1]
    first, fresh = (
        float(row[kind]["recognition"]["assigned"]["value"]) for kind in ("first", "fresh")
    )
    moved = [one["kl"] for one in row["fresh"]["useful"].values()]
    return [(first + fresh) / 2, -float(sum(moved) / len(moved)), fresh]


def _figures(row: dict[str, Any]) -> dict[str, float]:
    fresh = row["fresh"]
    found = {
        f"recognition/{way}": fresh["recognition"][way]["joint"]["value"]
        for way in ("sum", "per_token", "pmi")
    }
    found["recognition/assigned"] = fresh["recognition"]["assigned"]["value"]
    found["recognition/first_texts"] = row["first"]["recognition"]["sum"]["joint"]["value"]
    if "head" in row:
        found["recognition/head"] = row["head"]["top1"]["value"]
    for name, useful in fresh["useful"].items():
        for key in ("perplexity", "kl", "length", "unfinished"):
            found[f"{key}/{name}"] = useful[key]
        for key in ("repetition", "relevance"):
            found[f"{key}/{name}"] = useful[key]["value"]
    return {key: float(value) for key, value in found.items() if value is not None}
