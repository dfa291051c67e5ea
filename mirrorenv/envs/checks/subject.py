"""What is checked: anything that names or makes an environment, as something that makes fresh
copies of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mirrorenv.envs.adapters.third_party_facts import horizon as horizon_of
from mirrorenv.envs.adapters.third_party_facts import one_copy
from mirrorenv.envs.adhoc import adhoc_spec, environment_arguments, is_adhoc
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.registry import make, make_batch, spec
from mirrorenv.errors import ConfigError

__all__ = ["Subject", "subject"]


@dataclass(frozen=True)
class Subject:
    """An environment under test.

    Attributes:
        name: what messages call it.
        make: makes one copy, a PettingZoo `ParallelEnv`; takes further arguments of the
            environment.
        batch: makes a batch of B copies as arrays.
        is_array: whether it is written as a batch, so that its PettingZoo face is derived from it.
        declared_horizon: steps at most, as it says itself; None if it does not.
    """

    name: str
    make: Callable[..., Any]
    batch: Callable[[int], ArrayWorld]
    is_array: bool
    declared_horizon: Callable[[Any], int | None]


def subject(source: str | Callable[..., Any], options: Mapping[str, Any]) -> Subject:
    """An environment by id, by `"package.module:Env"`, or by what makes it.

    Args:
        source: as for :func:`mirrorenv.make_batch`.
        options: its arguments, and the batch's own (`horizon`, `agents`, ...), which concern
            training only.

    Raises:
        UnknownNameError, ConfigError, WorldError: as :func:`mirrorenv.make_batch` raises them.
    """
    known = adhoc_spec(source, options) if is_adhoc(source) else spec(source)

    def batch(num_envs: int) -> ArrayWorld:
        return make_batch(source, num_envs, **options)

    factory = source if callable(source) else known.load()
    if not is_adhoc(source) or (isinstance(factory, type) and issubclass(factory, ArrayWorld)):

        def face(**more: Any) -> Any:
            return make(source, **{**options, **more})

        if known.kind == "text":
            return Subject(known.id, face, batch, False, lambda env: int(env.max_cycles))
        return Subject(known.id, face, batch, True, lambda env: int(env.world.horizon))
    arguments, ours = environment_arguments(known.id, factory, options)

    def copy(**more: Any) -> Any:
        return one_copy(factory, {**arguments, **more}, known.id)

    def declared(env: Any) -> int | None:
        try:
            return horizon_of(env, arguments, ours.get("horizon"), known.id)
        except ConfigError:
            return None

    return Subject(known.id, copy, batch, False, declared)
