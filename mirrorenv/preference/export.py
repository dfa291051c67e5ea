"""A result folder from a finished run: what the best round wrote on held-out topics, and what every
voice made of it.

The texts are those of the run. Their likelihoods are computed again, from the checkpoint of the
best round, since a run keeps their summary only. Hits, nats and own against other are recomputed by
whoever verifies the folder; that the likelihoods are these models' is something only the weights
can say again.

Shape legend: B lineups, J readers, K = N slots and voices.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ResultError
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.lineup import lineup_permutations
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.recognition import observer_evidence
from mirrorenv.preference.recorded import recorded_settings
from mirrorenv.preference.run import TEXTS, voices_for
from mirrorenv.preference.scoring import Scored, TextLineups, lineups_of, score_lineups
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.state import load_round
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Entry, Figure, Result
from mirrorenv.results.folders.tables import Form, Table
from mirrorenv.results.folders.voices import LIMIT, VOICES, voice_rows
from mirrorenv.results.runs.json_lines import read_jsonl
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.results.runs.versions import git_state, installed_versions

__all__ = ["export_preference"]

# names of lines on leaderboards, which recorded results have
_METHOD = {"dpo": "pairs", "grpo": "head"}
FIGURES = (
    Figure(
        name="own",
        title="Own over other",
        better="high",
        share=True,
        about="others' texts on the same topic that a voice finds less likely than its own",
    ),
    Figure(
        name="hits",
        title="All recognised",
        better="high",
        share=True,
        about="texts given to their author",
    ),
    Figure(
        name="nats",
        title="Information (nats)",
        better="high",
        about="log score on all texts of a lineup",
    ),
    Figure(
        name="kl",
        title="Moved (nats per token)",
        better="neither",
        about="how much likelier its texts are under a voice than under the untouched model",
    ),
)


def export_preference(
    path: str | Path,
    out: str | Path,
    *,
    condition: str | None = None,
    form: Form = "auto",
    overwrite: bool = False,
    device: str = "auto",
) -> Path:
    """Write the end of a run as a result folder.

    Args:
        path: the run folder, finished.
        out: where the result goes.
        condition: name of its line on a leaderboard; by default road, loss and control.
        form: of the tables.
        overwrite: replace a result in `out`.
        device: where the voices read, as in `voices_for`.

    Raises:
        ResultError: if the run is not finished, or `out` cannot be written.
    """
    run = RunFolder.open(path)
    if run.status != "finished":
        raise ResultError(
            f"{path} is {run.status}; finish it: 'mirrorenv prefer train --run {path}'"
        )
    settings = recorded_settings(run.config)
    end = run.evaluations()[-1]
    best = int(end["best"])
    rows = [Text.of_row(row) for row in read_jsonl(run.path / TEXTS).rows]
    held_out = [text for text in rows if text.round == best and text.split == "held_out"]
    lineups = lineups_of(held_out, settings.names)
    with voices_for(settings, device) as voices:
        context = RunContext.start(settings, voices)
        checkpoint = run.checkpoint_path(best * settings.learning.steps)
        load_round(checkpoint, voices, context.classifiers)
        scored = score_lineups(context, lineups)
    name = condition or ", ".join(filter(None, (_METHOD[settings.method], _control(settings))))
    tables = _tables(lineups, scored, settings)
    tables["episodes"] = _rows(tables, scored, settings.seed)
    result = Result(
        kind="preference",
        title=f"{len(settings.names)} voices of {Path(settings.model).name}, seed {settings.seed}",
        world="mirrorenv/self-versus-other",
        world_options={"voices": len(settings.names)},
        entries=(
            Entry(condition=name, agents="fine-tuned language model"),
            Entry(condition=f"{name}: limit", agents="exact limit"),
        ),
        figures=FIGURES,
        seeds=(settings.seed,),
        streams=("likelihoods",),
        config=settings.model_dump(mode="json"),
        versions=installed_versions(),
        git=git_state(),
        device=run.info.get("device", "cpu"),
        links=_links(run.path, Path(out)),
        notes=_notes(end),
    )
    write_result(out, result, tables, form=form, overwrite=overwrite)
    return Path(out)


def _control(settings: PreferenceSettings) -> str:
    return "" if settings.control == "none" else settings.control.replace("_", " ")


def _notes(end: dict[str, Any]) -> tuple[str, ...]:
    """Usefulness on the same texts, as the run measured it."""
    found = [f"best round {end['best']} of {end['rounds']}, held-out topics"]
    for name, useful in end["fresh"]["useful"].items():
        found.append(
            f"{name}: perplexity {useful['perplexity']:.3g}, repetition "
            f"{useful['repetition']['value']:.3g}, "
            f"relevance {useful['relevance']['value']:.3g}"
        )
    return tuple(found)


def _links(run: Path, out: Path) -> dict[str, str]:
    inside = out.resolve().parent == run.resolve() and (run / "report.html").exists()
    return {"report": "../report.html"} if inside else {}


def _tables(lineups: TextLineups, scored: Scored, settings: PreferenceSettings) -> dict[str, Table]:
    """`steps`, `trials`, `beliefs` and `labels`; a trajectory is one text."""
    batch = len(lineups)
    size = len(settings.names)
    key = blake2b(digest_size=32)
    for some in lineups.texts:
        key.update("\0".join(one.text for one in some).encode("utf-8", "replace"))
    ids = np.array(
        [_id(key.digest(), row, slot) for row in range(batch) for slot in range(size)], np.uint64
    ).reshape(batch, size)
    by_voice = observer_evidence(scored.by_player, scored.untouched)  # (B, J, K, N)
    shown: list[npt.NDArray[np.uint64]] = []
    readers: list[tuple[int, int, int]] = []
    evidence: list[Floats64] = []
    for reader in range(size + 1):  # the voices, and then the limit
        entry = VOICES if reader < size else LIMIT
        values = by_voice[:, reader] if reader < size else scored.by_player  # (B, K, N)
        # (B, K)
        order = lineup_permutations(f"{settings.seed}/export", np.arange(batch), reader, size)
        for row in range(batch):
            shown.append(ids[row, order[row]])
            readers.append((entry, row, reader if reader < size else 0))
            evidence.append(values[row, order[row]])
    texts = sorted(
        (int(ids[row, slot]), lineups.texts[row][slot].text, slot, row)
        for row in range(batch)
        for slot in range(size)
    )
    known, words, agents, rows = (list(column) for column in zip(*texts, strict=True))
    entries, episodes, observers = (np.array(column) for column in zip(*readers, strict=True))
    trial = np.arange(len(shown))
    return {
        "steps": {"trajectory": np.array(known, np.uint64), "text": words},
        "trials": {
            "trial": trial,
            "trajectories": np.array(shown),
            "entry": entries,
            "episode": episodes,
        },
        "beliefs": {
            "trial": trial,
            "stream": 0 * trial,
            "observer": observers,
            "evidence": np.array(evidence),
        },
        "labels": {
            "trajectory": np.array(known, np.uint64),
            "agent": np.array(agents),
            "episode": np.array(rows),
        },
    }


def _rows(tables: dict[str, Table], scored: Scored, seed: int) -> Table:
    rows = voice_rows(tables, seed)
    drift = np.einsum("bnn->bn", scored.by_player) - scored.untouched  # (B, N) nats
    kl: Floats64 = drift.sum(axis=1) / scored.lengths.sum(axis=1)  # (B,)
    voices = np.asarray(rows["entry"]) == VOICES
    return {**rows, "kl": np.where(voices, kl[np.asarray(rows["episode"])], np.nan)}


def _id(key: bytes, *parts: int) -> int:
    data = b"".join(part.to_bytes(8, "little") for part in parts)
    return int.from_bytes(blake2b(data, key=key, digest_size=8).digest(), "little")
