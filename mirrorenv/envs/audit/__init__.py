"""Does a world tell its agents apart? All agents run one identical policy; an
agent that can still be named leaks.

The method, its formulas and its limits are on the page `docs/auditing.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mirrorenv.envs.adhoc import adhoc_spec, is_adhoc
from mirrorenv.envs.audit.columns import Carrier, Edge, carriers_by_test, cover, edges_between
from mirrorenv.envs.audit.exact import column_test, smallest_visible
from mirrorenv.envs.audit.features import INPUTS, Features, lineup_relations
from mirrorenv.envs.audit.probes import CUTS, probe
from mirrorenv.envs.audit.record import AuditRecord, ReactivePolicy, play
from mirrorenv.envs.audit.report import HEADER, AuditReport, ProbeResult
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.registry import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import holm

__all__ = ["HEADER", "AuditReport", "Carrier", "ProbeResult", "audit"]

_COPIES = 32
_DRAWS = 3999
_FEWEST_EPISODES = 32


def audit(
    world: str | Callable[..., Any],
    *,
    episodes: int = 400,
    seed: int = 0,
    alpha: float = 0.01,
    max_draws: int = _DRAWS,
    progress: Callable[[str], None] = lambda what: None,
    **arguments: Any,
) -> AuditReport:
    """Audit a world for leaks of identity.

    Every agent acts by one policy: uniformly random first, then one random linear policy of the
    agent's own observation (:class:`~mirrorenv.envs.audit.record.ReactivePolicy`). Probes look at
    each input for anything that says who is who; every p-value is exact and corrected for all
    probes of both policies (Holm).

    Args:
        world: as for :func:`mirrorenv.make_batch`: an id, `"package.module:Env"`, or what makes
            an environment.
        episodes: E for each policy, at least 32.
        seed: of the first episode.
        alpha: probability of a false alarm anywhere in the audit, at most.
        max_draws: permutations the untrained probes draw at most; `1 / max_draws` should lie well
            below `alpha / 32`, or they cannot reach the level.
        progress: called with what is being done, in words.
        **arguments: the world's own arguments.

    Raises:
        ConfigError: if there is one agent only, or a number is out of range.
        UnknownNameError: if no world has this id.
        WorldError: if the world cannot be made or breaks its contract.
    """
    if episodes < _FEWEST_EPISODES or seed < 0 or not 0 < alpha < 1 or max_draws < 1:
        raise ConfigError(
            f"audit: episodes at least {_FEWEST_EPISODES}, seed at least 0, alpha between 0 and 1 "
            f"and max_draws at least 1, got {episodes}, {seed}, {alpha} and {max_draws}"
        )
    batch = make_batch(world, min(_COPIES, episodes), **arguments)
    name = (
        world if isinstance(world, str) and not is_adhoc(world) else adhoc_spec(world, arguments).id
    )
    if batch.num_agents < 2:
        raise ConfigError(f"{name} has one agent only. An audit needs two agents or more.")
    rng = np.random.default_rng(seed)
    seeds = np.arange(seed, seed + episodes)
    progress("uniformly random actions")
    record = play(batch, UniformPolicy(batch, seed), seeds)
    results = list(_probe_all("uniform", record, alpha, max_draws, rng, progress))
    progress("one reactive policy")
    reactive = ReactivePolicy(batch, record, seed)
    total = record.total_columns
    read = len(record.names)
    record = play(batch, reactive, seeds + episodes)
    results += _probe_all("reactive", record, alpha, max_draws, rng, progress)
    results = _corrected(results, alpha)
    tests = sum(result.p_value is not None for result in results)
    tested = episodes - round(CUTS[0] * episodes)
    outscores, accuracy = smallest_visible(tested, batch.num_agents, alpha / (2 * max(tests, 1)))
    return AuditReport(
        world=name,
        arguments=arguments,
        agents=batch.agents,
        episodes=episodes,
        tested=tested,
        seed=seed,
        alpha=alpha,
        columns=total,
        columns_read=read,
        smallest_outscores=outscores,
        smallest_accuracy=accuracy,
        results=tuple(results),
    )


def _probe_all(
    policy: str,
    record: AuditRecord,
    alpha: float,
    max_draws: int,
    rng: np.random.Generator,
    progress: Callable[[str], None],
) -> Iterator[ProbeResult]:
    """Both probes on every input; p-values as they are, columns where they are worth naming."""
    agents = record.mask.shape[2]
    for shown, make in INPUTS.items():
        progress(f"{policy} policy: {shown}")
        slots = make(record)
        pairs: Features | None = None
        if shown == "whole lineup":
            within, pairs = lineup_relations(record)
            slots = slots.hstack(within)
        blank = ProbeResult(policy, shown, "trained", None, None, None, None, False)
        if slots.empty and (pairs is None or pairs.empty):
            yield blank
            yield replace(blank, probe="untrained")
            continue
        untrained = None if slots.empty else column_test(slots.values, rng, max_draws)
        alone: tuple[Carrier, ...] = ()
        edges: list[Edge] = []
        if untrained is not None:
            alone, edges = carriers_by_test(slots, untrained.features, alpha)
        outcome = probe(slots, pairs, agents, rng)
        if pairs is not None and not pairs.empty and not alone and outcome.p_value < alpha:
            edges += edges_between(pairs, agents, alpha, rng)
        carriers = alone or cover(edges)
        yield replace(
            blank,
            accuracy=outcome.accuracy,
            outscores=outcome.outscores,
            p_value=outcome.p_value,
            carriers=carriers,
        )
        p_value = None if untrained is None else untrained.p_value
        yield replace(blank, probe="untrained", p_value=p_value, carriers=carriers)


def _corrected(results: list[ProbeResult], alpha: float) -> list[ProbeResult]:
    """Holm over all that had something to read; columns are kept where there is a leak."""
    real = [result for result in results if result.p_value is not None]
    levels = iter(holm([result.p_value for result in real if result.p_value is not None]).tolist())
    out = []
    for result in results:
        if result.p_value is not None:
            corrected = next(levels)
            leak = corrected < alpha
            result = replace(
                result, corrected=corrected, leak=leak, carriers=result.carriers if leak else ()
            )
        out.append(result)
    return out
