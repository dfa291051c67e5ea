"""One worker for each model: what is asked at the same time is computed together.

Players, readers and served requests come from an event loop or from threads; each gets a future.
The worker takes what has arrived, writes all texts of it in one batch, and runs whatever else was
asked one after the other.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mirrorenv.llm.asking import Generated, Request
from mirrorenv.llm.weights import check_installed, load_model

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["Engine", "engine_of"]

T = TypeVar("T")
# seconds without a new arrival after which a batch is closed: the players of a phase ask all at
# once
_GRACE = 0.02


@dataclass(frozen=True)
class _Job:
    """Something to write (a request) or to compute (a function of the model), and who waits for
    it."""

    what: Request | Callable[[Any], Any]
    future: Future[Any]


class Engine:
    """A model with a queue before it.

    Args:
        load: gives the model; called once, by the worker.
        widest: most texts written side by side.
    """

    def __init__(self, load: Callable[[], LanguageModel], widest: int = 32) -> None:
        self._load = load
        self._widest = widest
        self._waiting: queue.Queue[_Job] = queue.Queue()
        self._started = threading.Lock()
        self._worker: threading.Thread | None = None
        self.batches: list[int] = []

    def write(self, request: Request) -> Future[Generated]:
        """Have a text written."""
        return self._submit(request)

    def compute(self, function: Callable[[LanguageModel], T]) -> Future[T]:
        """Have something computed with the model."""
        return self._submit(function)

    def _submit(self, what: Any) -> Future[Any]:
        job = _Job(what, Future())
        with self._started:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="local model", daemon=True)
                self._worker.start()
        self._waiting.put(job)
        return job.future

    def _work(self) -> None:
        while True:
            jobs = [self._waiting.get()]
            try:
                while len(jobs) < self._widest:
                    jobs.append(self._waiting.get(timeout=_GRACE))
            except queue.Empty:
                pass
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            try:
                model = self._load()
            except BaseException as error:
                for job in jobs:
                    job.future.set_exception(error)
                continue
            for job in jobs:
                if not isinstance(job.what, Request):
                    self._one(job, model)
            self._write_all(model, [job for job in jobs if isinstance(job.what, Request)])

    def _one(self, job: _Job, model: LanguageModel) -> None:
        try:
            job.future.set_result(
                model.generate([job.what])[0] if isinstance(job.what, Request) else job.what(model)
            )
        except BaseException as error:
            job.future.set_exception(error)

    def _write_all(self, model: LanguageModel, jobs: list[_Job]) -> None:
        if not jobs:
            return
        self.batches.append(len(jobs))
        try:
            written = model.generate([job.what for job in jobs if isinstance(job.what, Request)])
        except BaseException:  # one request may be the reason: each gets its own answer
            for job in jobs:
                self._one(job, model)
            return
        for job, text in zip(jobs, written, strict=True):
            job.future.set_result(text)


_engines: dict[tuple[str, str, str], Engine] = {}
_lock = threading.Lock()


def engine_of(name: str, dtype: str = "float32", adapter: str = "") -> Engine:
    """The engine of a model, one for each process; the model itself is loaded when it is first
    asked.

    Args:
        name: of a built-in model, on the hub, or a folder.
        dtype: of its weights, `float32`, `bfloat16`, or `auto` for the faster one.
        adapter: folder of a LoRA adapter; empty for none.

    Raises:
        MissingExtraError, ConfigError: if the model could not be loaded.
    """
    check_installed(name, adapter)
    key = name, dtype, adapter
    with _lock:
        if key not in _engines:
            _engines[key] = Engine(lambda: load_model(*key))
        return _engines[key]
