"""`vec_env`: worlds, PettingZoo environments and mirror tests as a VecEnv."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from mirrorenv.envs import make_batch
from mirrorenv.envs.adhoc import mirror_test_of
from mirrorenv.errors import ConfigError
from mirrorenv.population.experience import population_shape
from mirrorenv.population.settings import MirrorSettings
from mirrorenv.sb3.episodes import EpisodeLog
from mirrorenv.sb3.rows import GameRow, WorldRow
from mirrorenv.sb3.shared_policy import SharedPolicyVecEnv

__all__ = ["vec_env"]


def vec_env(
    id: str | Callable[..., Any],
    num_envs: int,
    *,
    mirror: MirrorSettings | Mapping[str, Any] | None = None,
    agent_id: bool = True,
    seed: int = 0,
    bootstrap: bool | None = None,
    **options: Any,
) -> SharedPolicyVecEnv:
    """`num_envs` copies of a world as `num_envs * N` sub-environments of Stable-Baselines3 that
    share one policy.

    Args:
        id: a registered id, or any PettingZoo environment as in :func:`mirrorenv.make_batch`. What
            makes a
            :class:`~mirrorenv.envs.adapters.mirror_test.MirrorTest` is played with its recognition
            phase.
        num_envs: copies of the world.
        mirror: settings of the mirror reward, for :class:`~mirrorenv.sb3.MirrorCallback` to pay;
            fields of
            :class:`~mirrorenv.population.settings.MirrorSettings`.
        agent_id: tell the shared policy who is acting. Without it the agents are one individual,
            unless the world itself tells them apart.
        seed: of the run.
        bootstrap: let the critic's value stand for what the clock cut off. By default only without
            `mirror`: a lineup is read up to the end of the episode, so there is nothing to be
            recognised by after it.
        **options: arguments of the world.

    Raises:
        ConfigError: if an argument is wrong; or `mirror` is given together with a mirror test,
            which pays itself.
        UnknownNameError: if no world has this id.
        WorldError: if the world cannot become arrays.
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
        raise ConfigError(
            f"vec_env: num_envs must be a whole number of at least 1, got {num_envs!r}"
        )
    settings = MirrorSettings(**mirror) if isinstance(mirror, Mapping) else mirror
    game = mirror_test_of(id, options)
    if game is not None:
        if settings is not None:
            raise ConfigError(
                "vec_env: a MirrorTest pays for recognition itself; leave mirror=... out, or the "
                "wrapper"
            )
        games = [game, *(mirror_test_of(id, options) for _ in range(1, num_envs))]
        rows = [GameRow(env, agent_id) for env in games if env is not None]
        return SharedPolicyVecEnv(rows, seed=seed, bootstrap=bool(bootstrap), mirror=None, log=None)
    worlds = [make_batch(id, 1, **options) for _ in range(num_envs)]
    if worlds[0].mask_from is not None:
        raise ConfigError(
            "vec_env: this world has action masks, which Stable-Baselines3's algorithms do not "
            "obey. What works: mirrorenv train; or a wrapper that makes every action legal"
        )
    log = None
    if settings is not None:
        shape = population_shape(worlds[0])
        log = EpisodeLog(worlds[0].horizon, shape)
    timed = settings is None if bootstrap is None else bootstrap
    return SharedPolicyVecEnv(
        [WorldRow(world, agent_id) for world in worlds],
        seed=seed,
        bootstrap=timed,
        mirror=settings,
        log=log,
        make_batch=partial(make_batch, id, **options),
    )
