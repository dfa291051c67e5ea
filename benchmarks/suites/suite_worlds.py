"""Runners of the suite `worlds`: the same training in every world, paid in different ways.

`benchmarks/suites/suite.py worlds` runs them.

A trained row is a run of the package with the settings that stand in the suite, and nothing else;
its last checkpoint plays fresh episodes, which are the result. Ray starts once for all rows of a
command. A run that was cut off goes on from its last checkpoint when the same command is given
again; its folder is removed once the result is there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites.suite_theory import write
from mirrorenv.envs import make_batch, play_episodes, spec
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.export import export_run
from mirrorenv.population.migration import read_run
from mirrorenv.results.board.suite import SuiteRow
from mirrorenv.results.folders.schema import Entry, Figure, Reference, SuiteMark
from mirrorenv.rllib.run import train
from mirrorenv.rllib.settings import RunSettings

RETURN = Figure(
    name="return", title="Return", about="environment reward per agent and episode", better="high"
)
TOP1 = Figure(name="learned.top1", title="Top-1", share=True, better="high")
RUNS = Path("runs") / "suite-runs"
SMOKE_EPISODES = 8


def trained(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """One run of `mirrorenv train`, and `mirrorenv results export` of its last checkpoint.

    Arguments of the row: `condition` (its name on the board), `settings` (of the run, without
    world and seed), `episodes` (of the result) and `reference` (a return to compare with, and
    its source).
    """
    arguments = row.arguments
    settings = {**arguments["settings"], "world": row.world, "seed": seeds[0]}
    if mark.smoke:
        settings = _small(settings)
    run = RUNS / mark.name / ("smoke" if mark.smoke else "") / row.row / f"seed{seeds[0]}"
    train(
        RunSettings.checked(read_run(settings)),
        run,
        if_exists="overwrite" if mark.smoke else "resume",
    )
    export_run(
        run,
        folder,
        episodes=SMOKE_EPISODES if mark.smoke else arguments["episodes"],
        condition=arguments["condition"],
        references=_references(arguments),
        suite=mark,
        over_time=False,
        world=row.world,
        overwrite=True,
    )
    shutil.rmtree(run)


def _small(settings: dict[str, Any]) -> dict[str, Any]:
    """The same run in two iterations of eight episodes."""
    learning = {
        **settings.get("learning", {}),
        "episodes_per_iteration": 8,
        "minibatch_episodes": 4,
        "epochs": 1,
    }
    horizon = make_batch(settings["world"], 1, **settings.get("world_options", {})).horizon
    evaluation = {**settings["evaluation"], "checkpoints": 1, "episodes": 8}
    return {**settings, "learning": learning, "evaluation": evaluation, "total_steps": 16 * horizon}


def _references(arguments: dict[str, Any]) -> dict[str, Reference]:
    known = arguments.get("reference")
    return {"return": Reference(value=known["value"], source=known["source"])} if known else {}


def scripted(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """Uniformly random agents, and the world's own scripted teams from the weakest to the best.

    Arguments of the row: `episodes` for each seed, and `options` of the world.
    """
    options = row.arguments.get("options", {})
    episodes = SMOKE_EPISODES if mark.smoke else row.arguments["episodes"]
    teams = {"random": None, **spec(row.world, **options).load_players()}
    found: list[tuple[Entry, dict[int, Any]]] = []
    for name, make in teams.items():
        by_seed = {}
        for seed in seeds[:2] if mark.smoke else seeds:
            world = make_batch(row.world, episodes, **options)
            policy = UniformPolicy(world, seed * episodes) if make is None else make(world)
            record = play_episodes(world, policy, world_seeds(seed, np.arange(episodes)))
            by_seed[seed] = {"return": record.rewards.sum(1, dtype=np.float64).mean(1)}
        found.append(
            (Entry(condition=name, agents="random" if make is None else "scripted"), by_seed)
        )
    write(row, mark, folder, (RETURN,), found, **options)


def outside_peer(row: SuiteRow, seeds: tuple[int, ...], mark: SuiteMark, folder: Path) -> None:
    """PPO of Stable-Baselines3: one policy that is told who acts, the mirror reward paid by
    `mirrorenv.sb3`.

    Arguments of the row: `condition`, `weight`, `total_steps` (joint steps), `episodes` and
    `options`.
    """
    import torch
    from stable_baselines3 import PPO

    from mirrorenv.sb3 import MirrorCallback, vec_env

    torch.set_num_threads(1)
    arguments = row.arguments
    (seed,) = seeds
    options = arguments.get("options", {})
    copies = SMOKE_EPISODES if mark.smoke else 64
    env = vec_env(row.world, copies, mirror={"weight": arguments["weight"]}, seed=seed, **options)
    world = make_batch(
        row.world, SMOKE_EPISODES if mark.smoke else arguments["episodes"], **options
    )
    rollout = copies * env.num_agents * world.horizon
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=world.horizon,
        batch_size=rollout,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.99,
        ent_coef=0.01,
        seed=seed,
    )
    callback = MirrorCallback(seed=seed)
    model.learn(
        rollout if mark.smoke else arguments["total_steps"] * env.num_agents, callback=callback
    )
    shown = env.rows[0]

    def act(observations: Any, t: int) -> Any:
        chosen, _ = model.predict(shown.present(observations), deterministic=False)
        return np.asarray(chosen).reshape(*observations.shape[:2], *chosen.shape[1:])

    record = play_episodes(
        world, act, world_seeds(seed, (1 << 31) + np.arange(world.num_envs, dtype=np.int64))
    )
    returns = record.rewards.sum(1, dtype=np.float64).mean(1)
    top1 = callback.score(world.num_envs).top1.value
    values = {"return": returns, "learned.top1": np.full(len(returns), top1)}
    entry = Entry(
        condition=arguments["condition"],
        agents="Stable-Baselines3",
        references=_references(arguments),
    )
    write(row, mark, folder, (RETURN, TOP1), [(entry, {seed: values})], **options)


RUNNERS = {"trained": trained, "scripted": scripted, "outside_peer": outside_peer}
