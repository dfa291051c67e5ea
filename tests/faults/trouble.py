"""An environment that is flawless until a chosen step of a chosen episode, and then does what it is
told to do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.testing.flawless import Answer, Flawless

__all__ = ["TROUBLES", "Trouble"]


class Trouble(Flawless):
    """`Flawless`, with trouble to come.

    Args:
        what: a key of :data:`TROUBLES`.
        step: the step of an episode in which it comes; 0 for `reset`.
        episode: the first episode of a copy in which it comes; the first is 1.
        once: a file that remembers that it came, so that it never comes again; by default it comes
            in every episode.
        runners: whether it comes in the processes of Ray's env runners alone, and never in the
            driver.
    """

    def __init__(
        self,
        what: str,
        step: int = 4,
        episode: int = 2,
        once: str | None = None,
        *,
        runners: bool = False,
    ) -> None:
        super().__init__()
        self.what, self.when, self.first_episode, self.once, self.runners = (
            what,
            step,
            episode,
            once,
            runners,
        )
        self.episodes = 0

    def reset(
        self, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode."""
        self.episodes += 1
        answer = super().reset(seed, options)
        if self._now():
            TROUBLES[self.what]((*answer, {}, {}, {}))
        return answer

    def step(self, actions: dict[str, Any]) -> Answer:
        """A step, and trouble if it is time for it."""
        answer = super().step(actions)
        if self._now():
            TROUBLES[self.what](answer)
        return answer

    def _now(self) -> bool:
        if self.clock != self.when or self.episodes < self.first_episode:
            return False
        if self.runners and not _is_env_runner():
            return False
        if self.once is None:
            return True
        try:
            Path(self.once).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _is_env_runner() -> bool:
    import ray

    return ray.is_initialized() and ray.get_runtime_context().get_actor_id() is not None


def _raise(answer: Answer) -> None:
    raise RuntimeError("the bridge is out")


def _wait(answer: Answer) -> None:
    time.sleep(3600)


def _wait_deaf(answer: Answer) -> None:
    """As native code does that looks at no signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    time.sleep(3600)


def _wait_alone(answer: Answer) -> None:
    """As native code does that also lets no other thread of Python run."""
    sum(range(10**14))


def _exit(answer: Answer) -> None:
    os._exit(3)


def _paid(reward: Any) -> Callable[[Answer], None]:
    def trouble(answer: Answer) -> None:
        answer[1]["walker_2"] = reward

    return trouble


def _shown(change: Callable[[Any], Any]) -> Callable[[Answer], None]:
    def trouble(answer: Answer) -> None:
        answer[0]["walker_2"] = change(answer[0]["walker_2"])

    return trouble


def _without(part: int) -> Callable[[Answer], None]:
    def trouble(answer: Answer) -> None:
        del answer[part]["walker_2"]

    return trouble


def _ghost(answer: Answer) -> None:
    answer[0]["ghost"] = answer[0]["walker_2"]


TROUBLES: dict[str, Callable[[Answer], None]] = {
    "NaN reward": _paid(np.nan),
    "infinite reward": _paid(np.inf),
    "reward of the wrong type": _paid("much"),
    "reward of the wrong shape": _paid(np.zeros(2)),
    "NaN observation": _shown(lambda seen: seen * np.float32(np.nan)),
    "infinite observation": _shown(lambda seen: seen + np.float32(np.inf)),
    "observation outside its space": _shown(lambda seen: seen + np.float32(7)),
    "observation of the wrong type": _shown(lambda seen: "nothing to see"),
    "observation of the wrong shape": _shown(lambda seen: seen[:2]),
    "missing observation": _without(0),
    "missing reward": _without(1),
    "missing flag": _without(2),
    "unknown agent": _ghost,
    "raises": _raise,
    "never returns": _wait,
    "never returns, deaf to signals": _wait_deaf,
    "never returns, holding the interpreter": _wait_alone,
    "ends its process": _exit,
}
"""What may happen, by name: each is handed the answer of `step` (of `reset`, with three empty
parts) to change."""
