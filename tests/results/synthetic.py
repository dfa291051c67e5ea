"""Invented run folders for tests. SYNTHETIC: no agent ever produced these numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.results.runs.run_folder import RunFolder

SCORE_FIELDS = (
    "top1",
    "exact",
    "expected_right",
    "self_dprime",
    "self_criterion",
    "calibration_error",
    "brier",
    "information",
    "joint_information",
    "effective_agents",
    "efficiency",
    "self_advantage",
    "time_to_identify",
    "handshake_index",
)


def config(weight: float = 1.0, seed: int = 3) -> dict[str, Any]:
    """A configuration like a real one in shape."""
    return {
        "env": "mirrorenv/ants-v0",
        "env_kwargs": {"food": False},
        "seed": seed,
        "total_steps": 150_000,
        "mirror": {"weight": weight, "credit": "author", "timing": "dense"},
        "population": {"weights": "separate", "hidden": [64, 64]},
    }


def estimate(value: float, half: float) -> dict[str, float]:
    """An interval around a value."""
    return {"value": value, "low": value - half, "high": value + half}


def score(top1: float, agents: int, half: float = 0.02) -> dict[str, Any]:
    """A Score dict that hangs together roughly."""
    information = math.log(agents) * max(0.0, (top1 - 1 / agents) / (1 - 1 / agents)) ** 1.3
    return {
        "top1": estimate(top1, half),
        "exact": estimate(top1**3, half),
        "expected_right": estimate(top1 * agents, half * agents),
        "self_dprime": estimate(4 * (top1 - 1 / agents), 0.2),
        "self_criterion": estimate(0.1, 0.1),
        "calibration_error": estimate(0.03, 0.01),
        "brier": estimate(1 - top1, half),
        "information": estimate(information, half),
        "joint_information": estimate(information * 2, 2 * half),
        "effective_agents": estimate(math.exp(information), half),
        "efficiency": None if information < 0.05 else estimate(0.96, 0.02),
        "self_advantage": estimate(0.0, 0.01),
        "time_to_identify": estimate(18.0, 2.0) if top1 > 0.8 else None,
        "handshake_index": estimate(0.12, 0.03),
    }


def evaluation(
    index: int, count: int, agents: int = 4, horizon: int = 50, final: float = 0.95
) -> dict[str, Any]:
    """Evaluation `index` of `count`, learning along a sigmoid."""
    rng = np.random.default_rng(index)
    progress = 1 / (1 + math.exp(-(index - count * 0.4) * 10 / count)) if index else 0.0
    chance = 1 / agents
    limit = chance + 0.02 + (final + 0.02 - chance - 0.02) * progress
    learned = chance + (limit - chance) * (0.98 if index else 0.0)
    mixing = np.full((agents, agents), (1 - learned) / (agents - 1)) * rng.uniform(
        0.7, 1.3, (agents, agents)
    )
    np.fill_diagonal(mixing, 0)
    mixing *= (1 - learned) / np.maximum(mixing.sum(1, keepdims=True), 1e-9)
    np.fill_diagonal(mixing, learned)
    time = np.arange(1, horizon + 1) / horizon
    learned_score, limit_score = score(learned, agents), score(limit, agents)
    return {
        "iteration": index * 10,
        "env_steps": index * 150_000 // max(count - 1, 1),
        "seconds": index * 11.3,
        "num_agents": agents,
        "horizon": horizon,
        "episodes": 256,
        "learned": learned_score,
        "learned_joint": score(min(learned + 0.01, 1.0), agents),
        "limit": limit_score,
        "baselines": {
            "chance": score(chance, agents, 0.0),
            "first_observation": score(chance + 0.01, agents),
            "action_histogram": score(chance + 0.6 * (limit - chance), agents),
        },
        "lagged_top1": estimate(max(learned - 0.08 * progress, chance), 0.02) if index else None,
        "persistence": min(1.0, 0.4 + 0.6 * progress) if index else None,
        "return": estimate(3.0 + 2.0 * progress, 0.3),
        "mirror_return": estimate(learned_score["information"]["value"], 0.03),
        "recognition_matrix": (learned + rng.uniform(-0.04, 0.04, (agents, agents)))
        .clip(0, 1)
        .tolist(),
        "confusion": mixing.tolist(),
        "evidence_over_time": {
            "learned": (learned_score["information"]["value"] * time**0.5).tolist(),
            "limit": (limit_score["information"]["value"] * time**0.5).tolist(),
        },
        "log_e_value": -2.0 - 3.0 * index,
        "per_agent_return": (3.0 + 2.0 * progress + rng.uniform(-0.5, 0.5, agents)).tolist(),
    }


def metrics_row(index: int, count: int) -> dict[str, Any]:
    """One row of training metrics."""
    progress = index / max(count - 1, 1)
    return {
        "iteration": index,
        "env_steps": int(150_000 * progress),
        "seconds": index * 1.1,
        "top1": 0.25 + 0.7 * progress,
        "information": 1.3 * progress,
        "return": 3.0 + 2.0 * progress + math.sin(index) * 0.2,
        "mirror_return": 1.3 * progress,
        "entropy": 1.09 - 0.5 * progress,
        "policy_loss": -0.01,
        "value_loss": 0.4,
        "observer_loss": 1.4 - progress,
        "kl": 0.01,
        "env_steps_per_second": 4000.0,
    }


def make_run(
    path: Path,
    *,
    weight: float = 1.0,
    seed: int = 3,
    count: int = 12,
    agents: int = 4,
    final: float = 0.95,
    finished: bool = True,
) -> RunFolder:
    """A synthetic run, finished unless told otherwise."""
    run = RunFolder.create(path, config(weight, seed), seed, device="cpu, 2 threads")
    for index in range(40):
        run.log_metrics(metrics_row(index, 40))
    for index in range(count):
        run.log_evaluation(evaluation(index, count, agents, final=final))
    if finished:
        run.finish()
    return run
