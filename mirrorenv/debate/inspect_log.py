"""A tournament's log as a log of Inspect, for its viewer and whatever else reads such logs.

A sample is a game: its chat holds the questions and who wrote what, its events every call of a
model with raw request and reply, its score the figures of the game. Scripted players have no
events. Nothing is asked.

https://inspect.aisi.org.uk; needs the extra `inspect`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.debate.inspect_task import figures_of, summary_of, told
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.scoring.scores import score_readers
from mirrorenv.debate.scoring.sheets import sheet_of
from mirrorenv.errors import MirrorError, require

require("inspect_ai", "inspect")

from inspect_ai.event import ModelEvent  # noqa: E402
from inspect_ai.log import (  # noqa: E402
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    write_eval_log,
)
from inspect_ai.model import (  # noqa: E402
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelCall,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import Score  # noqa: E402

__all__ = ["inspect_log", "write_inspect_log"]

_ROLES = {
    "system": ChatMessageSystem,
    "developer": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
_ENDS = {
    "stop": "stop",
    "length": "max_tokens",
    "thinking": "max_tokens",
    "filter": "content_filter",
    "tool": "tool_calls",
}
_SCORER = "recognition"


def write_inspect_log(results: Results, path: Path) -> int:
    """Write the finished games as a log of Inspect.

    Args:
        results: of a tournament.
        path: a file that ends in `.eval` or `.json`.

    Returns:
        how many samples it holds.

    Raises:
        MirrorError: if no game is finished.
    """
    log = inspect_log(results)
    write_eval_log(log, str(path))
    return len(log.samples)


def inspect_log(results: Results) -> EvalLog:
    """The finished games as a log of Inspect.

    Args:
        results: of a tournament.

    Raises:
        MirrorError: if no game is finished.
    """
    tournament = results.tournament
    samples = [_sample(results, debate) for debate in results.games()]
    if not samples:
        raise MirrorError(f"{results.path}: no game is finished; 'mirrorenv debate run' goes on")
    cards = [card for card in tournament.cards if card.endpoint is not None]
    models = sorted({card.endpoint.model for card in cards if card.endpoint is not None})
    spec = EvalSpec(
        created=datetime.now(UTC).isoformat(),
        task="mirrorenv/debate",
        task_id=tournament.name,
        eval_id=f"{tournament.name}-{tournament.seed}",
        run_id=str(results.path.name),
        dataset=EvalDataset(
            name=tournament.topics.name,
            samples=len(samples),
            sample_ids=[sample.id for sample in samples],
        ),
        model=f"openai-api/{models[0]}" if models else "none/none",
        config=EvalConfig(),
        metadata={"config": tournament.config(), "models": models},
    )
    return EvalLog(
        status="success",
        eval=spec,
        samples=samples,
        results=EvalResults(
            total_samples=tournament.games,
            completed_samples=len(samples),
            scores=_scores([sample.scores[_SCORER].value for sample in samples]),
        ),
    )


def _scores(values: list[Mapping[str, float]]) -> list[EvalScore]:
    """Mean and standard error of each figure over games."""
    found = []
    for name in values[0]:
        column = np.array([value[name] for value in values])
        metrics = {"mean": EvalMetric(name="mean", value=float(column.mean()))}
        if len(column) > 1:
            error = float(column.std(ddof=1) / np.sqrt(len(column)))
            metrics["stderr"] = EvalMetric(name="stderr", value=error)
        found.append(EvalScore(name=name, scorer=_SCORER, metrics=metrics))
    return found


def _sample(results: Results, debate: Debate) -> EvalSample:
    tournament = results.tournament
    readers = score_readers([sheet_of(tournament, debate)])
    seats = [tournament.cards[card].name for card in tournament.seats(debate.game)]
    summary = summary_of(readers)
    return EvalSample(
        id=debate.game,
        epoch=1,
        input=f"game {debate.game} of {tournament.name}: {', '.join(seats)}",
        target="",
        messages=told(debate),
        output=ModelOutput.from_content(tournament.name, summary),
        scores={_SCORER: Score(value=figures_of(readers), answer=summary)},
        metadata={"seats": seats, "readers": [reader.to_dict() for reader in readers]},
        events=_events(results.log.game(debate.game).values()),
    )


def _events(rows: Iterable[Mapping[str, Any]]) -> list[ModelEvent]:
    """Every call of a model, in the order in which they were finished."""
    return [_event(row) for row in rows if row["reply"].get("request")]


def _event(row: Mapping[str, Any]) -> ModelEvent:
    reply = row["reply"]
    body = reply["request"].get("body", {})
    served = (reply.get("response") or {}).get("model")
    name = served if isinstance(served, str) else str(body.get("model", row["agent"]))
    output = ModelOutput.from_content(
        name, reply["text"], stop_reason=_ENDS.get(reply.get("stop", ""), "unknown")
    )
    usage = reply.get("usage", {})
    read = usage.get("input", 0)
    written = usage.get("output", 0)
    output.usage = ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
    return ModelEvent(
        model=name,
        role=row["agent"],
        input=_messages(body),
        tools=[],
        tool_choice="none",
        config=GenerateConfig(),
        output=output,
        call=ModelCall(request=reply["request"], response=reply.get("response") or {}),
        working_start=0.0,
        working_time=row.get("seconds", 0.0),
        metadata={"key": row["key"], "try": row["sample"], "taken": row.get("taken", "")},
    )


def _messages(body: Mapping[str, Any]) -> list[Any]:
    """What was sent as messages, of either API; another form of content as its text."""
    first = [{"role": "system", "content": body["instructions"]}] if "instructions" in body else []
    sent = [*first, *body.get("messages", body.get("input", ()))]
    return [_ROLES[one["role"]](content=str(one["content"])) for one in sent]
