"""An iteration ends with samples or with an error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mirrorenv.errors import TrainingError
from mirrorenv.rllib.guards import ATTEMPTS, until_sampled


class Group:
    """Env runners of which one comes back after some looks."""

    def __init__(self, back_after: int) -> None:
        self.looks, self.back_after = 0, back_after

    def num_healthy_remote_workers(self) -> int:
        return int(self.looks >= self.back_after)


def algorithm(group: Group) -> Any:
    def restore(env_runners: Group) -> list[int]:
        env_runners.looks += 1
        return []

    config = SimpleNamespace(num_env_runners=2)
    return SimpleNamespace(
        config=config, iteration=4, env_runner_group=group, restore_env_runners=restore
    )


def test_samples_that_arrive_late_are_still_this_iterations_samples() -> None:
    answers = iter([None, "sample"])
    assert until_sampled(algorithm(Group(back_after=1)), lambda: next(answers)) == "sample"


@pytest.mark.parametrize("back_after", [1, 10**9], ids=["healthy again", "never back"])
def test_no_samples_at_all_end_in_an_error_that_counts_the_runners(back_after: int) -> None:
    asked = []
    with pytest.raises(TrainingError, match=r"iteration 5: 2 env runners, [01] of them healthy"):
        until_sampled(algorithm(Group(back_after)), lambda: asked.append(1), wait=0.0)
    assert len(asked) == ATTEMPTS
