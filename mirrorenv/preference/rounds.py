"""The rounds of a run: write, pair, a few steps, measure, and again. Needs the extra `trl`.

A round is whole or not at all: texts are kept as they are written, and everything else at the end
of the round, so that a killed run repeats the round it was in and comes to the same numbers. Any
number of workers goes through the same rounds; the main worker owns the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mirrorenv.preference.callbacks import EvaluationRow
from mirrorenv.preference.card import data_card
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.measure import beyond_bound, instructions, measure_texts
from mirrorenv.preference.methods import METHODS
from mirrorenv.preference.pairing import shuffled_owners
from mirrorenv.preference.pairs import PairFile, Text, kept_texts
from mirrorenv.preference.round_log import Losses, RoundLog
from mirrorenv.preference.settings import NOTHING_KEPT
from mirrorenv.preference.state import OptimiserState, RoundState, load_round, save_round
from mirrorenv.preference.topics import Split
from mirrorenv.preference.voices import Weights
from mirrorenv.preference.writing import TextStore, first_texts, fresh_texts
from mirrorenv.results.runs.files import atomic_write_json, atomic_write_text
from mirrorenv.results.runs.json_lines import json_lines
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["CARD", "TEXTS", "Rounds", "adapted_beta"]

TEXTS = "texts.jsonl"
CARD = "data_card.json"
VOICES = "voices"
# what a rolled-back player's KL weight and step size are multiplied by
_HARDER = 2.0
_SLOWER = 0.5
# KL weight after a round, and how far from the budget it stays as it is
_ADAPT = 1.5
_SLACK = 1.5


@dataclass(frozen=True)
class _Tried:
    """What one player has become in a round, before the round is judged."""

    voice: Weights
    classifier: Weights
    optimiser: OptimiserState | None


class Rounds:
    """One run, from its first texts to its last row.

    Args:
        context: of the run, before its first round.
        folder: of the run.
        pairs: first texts from a file; None has the untouched model write them.
    """

    def __init__(self, context: RunContext, folder: RunFolder, pairs: PairFile | None) -> None:
        self.context = context
        self.settings = context.settings
        self.folder = folder
        self.store = TextStore(folder.path / TEXTS, context.workers)
        self.method = METHODS[context.settings.method]
        self.log: RoundLog | None = None
        if context.workers.is_main:
            self.log = RoundLog(folder, context.settings, context.callbacks)
        self.first = list(pairs.texts) if pairs is not None else first_texts(context, self.store)

    def run(self) -> None:
        """Go through all rounds that are left, and measure the best one on the held-out topics."""
        last = self.context.workers.on_main(lambda: self.folder.checkpoints()[-1:])
        if last:
            self.context.state = self._loaded(last[0])
            self._on_main(lambda: self._rewind(int(last[0].name)))
        else:
            self._on_main(self._start_folder)
            self._begin()
        while self._must_go_on():
            self._round()
        self._end()
        if self.log is not None:
            self.log.close()

    def _must_go_on(self) -> bool:
        state = self.context.state
        learning = self.settings.learning
        reached = state.best > 0 and state.best_rank[-1] >= learning.stop_at
        return state.round < learning.rounds and state.stale < learning.patience and not reached

    # -- the folder ----------------------------------------------------------------------------

    def _on_main(self, work: Callable[[], object]) -> None:
        """What only the main worker does; a failure of it ends all workers."""

        def done() -> None:
            work()

        self.context.workers.on_main(done)

    def _loaded(self, checkpoint: Path) -> RoundState:
        """Read a checkpoint; weights go into the voices and classifiers of every worker."""
        context = self.context

        def read() -> tuple[list[Weights], list[Weights], RoundState]:
            state = load_round(checkpoint, context.voices, context.classifiers)
            return context.voices.states, context.classifiers.states, state

        voices, classifiers, state = context.workers.on_main(read)
        context.voices.states = voices
        context.classifiers.states = classifiers
        return state

    def _start_folder(self) -> None:
        self.folder.rewind(-1)
        atomic_write_json(self.folder.path / CARD, data_card(self.context, self.first))

    def _rewind(self, steps: int) -> None:
        """Drop what was logged after a checkpoint, and the row of the held-out topics, which a run
        killed after its last round may have written."""
        self.folder.rewind(steps)
        rows = [row for row in self.folder.evaluations() if row["split"] != "held_out"]
        atomic_write_text(self.folder.path / "evaluations.jsonl", json_lines(rows))

    def _checkpoint(self, number: int) -> Path:
        return self.folder.checkpoint_path(number * self.settings.learning.steps)

    def _save(self) -> None:
        self._on_main(self._write_checkpoint)

    def _write_checkpoint(self) -> None:
        context = self.context
        steps = context.state.round * self.settings.learning.steps
        with self.folder.new_checkpoint(steps) as path:
            save_round(path, context.voices, context.classifiers, context.state)
        if context.voices.whole_models:
            self._forget_rounds()

    def _forget_rounds(self) -> None:
        """Whole models are large: only the best round and the last one are kept."""
        state = self.context.state
        kept = {self._checkpoint(number).name for number in (state.best, state.round)}
        for checkpoint in self.folder.checkpoints():
            if checkpoint.name not in kept:
                shutil.rmtree(checkpoint)

    def _write(self, row: EvaluationRow, number: int, losses: Losses = ()) -> None:
        if self.log is not None:
            self.log.write(row, number, losses)

    # -- texts and figures ---------------------------------------------------------------------

    def _training_texts(self, version: int) -> list[Text]:
        """First texts to begin with, then what the players say, each without what cannot be
        used."""
        texts = [text for text in self.first if text.split == "train"]
        on_policy = self.settings.learning.on_policy or self.method.always_on_policy
        if version > 0 and on_policy:
            versions = [version] * len(self.context.voices)
            samples = self.settings.data.samples
            texts = fresh_texts(self.context, self.store, "train", versions, samples)
        kept, _ = kept_texts(texts, self.settings.data.truncated)
        if self.settings.control == "shuffled_ownership":
            return shuffled_owners(kept, self.settings)
        return kept

    def _measure(self, split: Split, version: int | list[int]) -> EvaluationRow:
        """An evaluation row without its place in the run; workers share its columns.

        Args:
            split: which topics.
            version: round that the voices come from, of all or of each.
        """
        context = self.context
        run = f"{self.settings.seed}/{split}/{version}"
        versions = version if isinstance(version, list) else [version] * len(context.voices)
        samples = self.settings.measure.samples
        first = [text for text in self.first if text.split == split]
        fresh = fresh_texts(context, self.store, split, versions, samples)
        columns: dict[str, Callable[[], Mapping[str, Any]]] = {
            "first": partial(measure_texts, context, first, f"{run}/first"),
            "fresh": partial(measure_texts, context, fresh, f"{run}/fresh"),
            **self.method.columns(context, fresh, run),
        }
        if self.settings.measure.instructions:
            columns["instructions"] = partial(instructions, context)
        mine = context.workers.shard(list(columns))
        found: dict[str, Any] = {}
        for part in context.workers.gather(lambda: {name: columns[name]() for name in mine}):
            found |= part
        return {"split": split, **{name: found[name] for name in columns}}

    # -- rounds --------------------------------------------------------------------------------

    def _begin(self) -> None:
        state = self.context.state
        self.method.prepare(self.context, self._training_texts)
        row = self._measure("tuning", 0)
        state.reference = row["first"]["useful"]
        state.best_rank = self.method.rank(row)
        self._write(row, 0)
        self._save()

    def _round(self) -> None:
        state = self.context.state
        number = state.round + 1
        losses = self.method.improve(self.context, number, self._training_texts)
        row = self._measure("tuning", number)
        broken = beyond_bound(row["fresh"]["useful"], state.reference, self.settings.bound)
        used = {"betas": list(state.betas), "rates": list(state.rates)}
        judged = {"rolled_back": bool(broken), "reasons": broken, **used}
        self._write({**row, **judged}, number, losses)
        state.round = number
        if broken:
            self._roll_back(broken, number)
        if len(broken) == len(self.context.voices):
            state.stale += 1
        else:  # those within the bounds keep what they learned
            state.version = number
            state.versions = [
                state.versions[player] if name in broken else number
                for player, name in enumerate(self.settings.names)
            ]
            if broken:  # and the population that stays is measured again
                row = self._measure("tuning", state.versions)
                self._write(
                    {**row, "rolled_back": False, "without": sorted(broken), **used}, number
                )
            self._accept(row, number, broken)
        self._save()

    def _tried(self) -> list[_Tried]:
        context = self.context
        return [
            _Tried(
                context.voices.states[player],
                context.classifiers.states[player],
                context.state.optimisers[player],
            )
            for player in range(len(context.voices))
        ]

    def _roll_back(self, broken: Mapping[str, Sequence[str]], number: int) -> None:
        """Take those who broke a bound back to where they were before the round."""
        context = self.context
        tried = self._tried()
        before = self._loaded(self._checkpoint(number - 1))
        context.state.optimisers = before.optimisers
        for player, name in enumerate(self.settings.names):
            if name in broken:
                context.state.betas[player] *= _HARDER
                context.state.rates[player] *= _SLOWER
            else:
                context.voices.states[player] = tried[player].voice
                context.classifiers.states[player] = tried[player].classifier
                context.state.optimisers[player] = tried[player].optimiser
        reasons = [f"{name}: {', '.join(said)}" for name, said in broken.items()]
        rest = "" if len(broken) == len(tried) else "; the others keep what they learned"
        context.callbacks.note(
            f"round {number} is rolled back: {'; '.join(reasons)}. They continue with twice the KL "
            f"weight and half the step size{rest}"
        )

    def _accept(self, row: EvaluationRow, number: int, broken: Collection[str]) -> None:
        """Compare the population that stays with the best so far, and adapt the KL weights of those
        not rolled back."""
        state = self.context.state
        rank = self.method.rank(row)
        if rank > state.best_rank:
            state.best = number
            state.best_rank = rank
            state.stale = 0
        else:
            state.stale += 1
        budget = self.settings.loss.kl_budget
        if budget is None:
            return
        for player, name in enumerate(self.settings.names):
            if name not in broken:
                moved = row["fresh"]["useful"][name]["kl"]
                state.betas[player] = adapted_beta(state.betas[player], moved, budget)

    def _end(self) -> None:
        """Measure the best round on the held-out topics, and leave its voices where peft or
        transformers find them."""
        state = self.context.state
        self._loaded(self._checkpoint(state.best))
        row = self._measure("held_out", state.best)
        for player, name in enumerate(self.settings.names):
            folder = self.folder.path / VOICES / name
            self._on_main(partial(self.context.voices.save, player, folder))
        self._write({**row, "best": state.best, "rounds": state.round}, state.round)
        if not state.best:
            self.context.callbacks.note(NOTHING_KEPT)


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
