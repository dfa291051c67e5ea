"""Training and measuring with observers that are shown their neighbours only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mirrorenv.envs import ArrayWorld, make_batch, registry, spec
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import Neighbourhood, mirror_reward, neighbourhood_permutations
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import neighbourhoods_of, settle_neighbours
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.observers import HEADS
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.population.population import Population
from mirrorenv.population.reading import author_log_belief
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import (
    Columns,
    combine_advantages,
    train_batch,
)
from tests.population.small import loud

EPISODES = 64


@pytest.fixture(autouse=True)
def quick_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones that need no training of their own."""
    for name in set(BASELINES) - {"chance", "action_histogram"}:
        monkeypatch.delitem(BASELINES, name)


def ants(agents: int, copies: int = EPISODES, **options: Any) -> ArrayWorld:
    return make_batch(
        "mirrorenv/ants-v0",
        copies,
        **{"num_agents": agents, "horizon": 12, "start": "random", **options},
    )


def settled(
    world: ArrayWorld, mirror: MirrorSettings | None = None, **observer: Any
) -> PopulationSettings:
    settings = PopulationSettings(
        hidden=16, observer=ObserverSettings(**{"hidden": 16, "slots_per_update": 0, **observer})
    )
    return settle_neighbours(settings, mirror or MirrorSettings(), world)


def twins(
    world: ArrayWorld, neighbours: int, head: str = "additive"
) -> tuple[Population, Population]:
    """The same weights, once shown everybody and once shown neighbours."""
    shape = population_shape(world)
    both = [Population(shape, settled(world, head=head, neighbours=k)) for k in (0, neighbours)]
    loud(both[0])
    both[1].load_state_dict(both[0].state_dict())
    return both[0], both[1]


def columns_of(population: Population, world: ArrayWorld, seed: int = 0, **mirror: Any) -> Columns:
    episodes = np.arange(world.num_envs)
    record = play(world, population, world_seeds(0, episodes), torch.Generator().manual_seed(0))
    settings, rng = MirrorSettings(**mirror), np.random.default_rng(seed)
    set_objectives(population, settings, LearningSettings())
    return train_batch(
        population, record, settings, LearningSettings(), run=0, episodes=episodes, rng=rng
    )


def tensors(columns: Columns) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
    }


@pytest.mark.parametrize("head", ["additive", "gru"])
def test_with_all_others_as_neighbours_reward_and_loss_are_the_ordinary_ones(head: str) -> None:
    world = ants(4, 16)
    everybody, near = twins(world, 3, head)
    variants: tuple[dict[str, Any], ...] = (
        {},
        {"credit": "team", "timing": "terminal"},
        {"control": "shuffled_labels"},
    )
    for mirror in variants:
        one, other = columns_of(everybody, world, **mirror), columns_of(near, world, **mirror)
        np.testing.assert_array_equal(one["actions"], other["actions"])
        np.testing.assert_allclose(one["mirror_return"], other["mirror_return"], atol=1e-4)
        np.testing.assert_allclose(one["mirror_advantage"], other["mirror_advantage"], atol=1e-4)
        losses = [
            observer_loss(
                model,
                read_minibatch(model, tensors(made), model.settings.observer, torch.Generator()),
            )
            for model, made in ((everybody, one), (near, other))
        ]
        assert losses[0][0].item() == pytest.approx(losses[1][0].item(), rel=1e-4)
        for name in ("observer_loss", "observer_accuracy"):
            assert losses[0][1][name].item() == pytest.approx(losses[1][1][name].item(), abs=1e-4)


def test_with_all_others_as_neighbours_the_evaluation_is_the_ordinary_one() -> None:
    world = ants(4, 32)
    rows = [
        evaluate(
            model,
            world,
            world_spec=spec("mirrorenv/ants-v0"),
            seed=3,
            mirror=MirrorSettings(),
            previous=model,
            baselines=True,
        ).to_dict()
        for model in twins(world, 3)
    ]
    ordinary, near = rows
    # everybody shown: places say nothing
    assert near["baselines"].pop("policies_without_places") == near["limit"]

    def compare(one: Any, other: Any, at: str) -> None:
        if isinstance(one, dict):
            assert one.keys() == other.keys(), at
            for key in one:
                compare(one[key], other[key], f"{at}.{key}")
        elif isinstance(one, (list, float)):
            np.testing.assert_allclose(
                np.array(one, float), np.array(other, float), atol=1e-4, err_msg=at
            )
        else:
            assert one == other, at

    # one limit for all has no self
    for left_out in ("self_dprime", "self_criterion", "self_advantage"):
        for row in rows:
            row["limit"].pop(left_out)
            for score in row["baselines"].values():
                score.pop(left_out, None)
    compare(ordinary, near, "row")


def test_beliefs_are_those_about_everybody_cut_down_to_who_was_shown() -> None:
    world = ants(7, 8)
    everybody, near = twins(world, 2)
    episodes = np.arange(8)
    record = play(world, near, world_seeds(0, episodes), torch.Generator().manual_seed(0))
    shown = neighbourhoods_of(near, record, run=5, episodes=episodes)
    assert shown.candidates.shape == (8, 7, 3)
    belief = author_log_belief(near, record, shown)
    straight = Neighbourhood.everybody(np.tile(np.arange(7), (8, 1, 1)))
    # (B, T, J, N): log softmax over all seven
    whole = author_log_belief(everybody, record, straight)
    assert belief.shape == whole.shape
    seen = np.broadcast_to(shown.seen[:, None], belief.shape)
    assert (belief[~seen] == 0).all()
    assert (belief[seen] >= whole[seen] - 1e-5).all()  # fewer to choose from: the true author gains
    made = columns_of(near, world)
    np.testing.assert_array_equal(made["permutation"], made["labels"])
    assert made["permutation"].shape == (8, 7, 3)
    mine = neighbourhoods_of(near, record, run=0, episodes=episodes)
    np.testing.assert_array_equal(made["permutation"], mine.authors)
    paid = mirror_reward(author_log_belief(near, record, mine), record.mask, seen=mine.seen)
    np.testing.assert_allclose(made["mirror_return"], paid.sum(1), atol=1e-4)
    order = neighbourhood_permutations(mine.candidates, run=0, episodes=episodes)
    np.testing.assert_array_equal(mine.permutation, order)


def test_false_names_are_one_false_naming_for_the_whole_batch() -> None:
    world = ants(6, 8)
    _, near = twins(world, 2)
    made = columns_of(near, world, control="shuffled_labels")
    naming = set(zip(made["permutation"].flat, made["labels"].flat, strict=True))
    assert len(naming) == 6 and any(truth != name for truth, name in naming)
    np.testing.assert_array_equal(
        made["mirror_advantage"], columns_of(near, world)["mirror_advantage"]
    )


def test_random_prefixes_are_read_like_all() -> None:
    world = ants(5, 8)
    _, near = twins(world, 2)
    batch = tensors(columns_of(near, world))
    whole = read_minibatch(near, batch, near.settings.observer, torch.Generator())
    part_of = near.settings.observer.model_copy(update={"prefixes_per_update": 3})
    part = read_minibatch(near, batch, part_of, torch.Generator().manual_seed(0))
    assert whole.evidence.shape == (8, 12, 5, 3, 3) and part.evidence.shape == (8, 3, 5, 3, 3)
    assert all(
        any(torch.equal(part.evidence[:, p], whole.evidence[:, t]) for t in range(12))
        for p in range(3)
    )


def test_agents_learn_to_be_known_by_their_neighbours() -> None:
    world = ants(6)
    settings = settled(world, neighbours=2, hidden=32)
    population, learning = Population(population_shape(world), settings), LearningSettings()
    set_objectives(population, MirrorSettings(), learning)
    optimizers = [
        torch.optim.Adam(part.parameters(), lr=rate)
        for part, rate in ((population.actor, 2e-3), (population.observers, 3e-3))
    ]
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    returns = []
    for iteration in range(12):
        episodes = np.arange(EPISODES) + EPISODES * iteration
        record = play(world, population, world_seeds(0, episodes), generator)
        columns = train_batch(
            population, record, MirrorSettings(), learning, run=0, episodes=episodes, rng=rng
        )
        columns["advantage"] = combine_advantages(columns, 1.0)
        returns.append(float(columns["mirror_return"].mean()))
        batch = tensors(columns)
        for _ in range(4):
            for rows in torch.split(torch.randperm(EPISODES, generator=generator), 32):
                part = {name: column[rows] for name, column in batch.items()}
                loss, _ = ppo_loss(population.actor.sequence(part["observations"]), part, learning)
                reading = read_minibatch(population, part, settings.observer, generator)
                for optimizer in optimizers:
                    optimizer.zero_grad()
                total: Any = loss + observer_loss(population, reading)[0]
                total.backward()
                for optimizer in optimizers:
                    optimizer.step()
    assert abs(returns[0]) < 0.1
    assert 0.6 * math.log(3) < returns[-1] < math.log(3)


@pytest.mark.parametrize("agents", [24, 32])
def test_large_populations_are_measured_in_small_lineups(agents: int) -> None:
    world = ants(agents, 16, horizon=6)
    population = Population(population_shape(world), settled(world, neighbours=3))
    loud(population)
    row = evaluate(
        population,
        world,
        world_spec=spec("mirrorenv/ants-v0"),
        seed=0,
        mirror=MirrorSettings(),
        baselines=True,
    ).to_dict()
    assert (row["num_agents"], row["lineup_size"]) == (agents, 4)
    assert row["baselines"]["chance"]["top1"]["value"] == pytest.approx(0.25)
    assert row["learned"]["information"]["value"] < math.log(4)
    without = row["baselines"]["policies_without_places"]["information"]["value"]
    assert row["limit"]["information"]["value"] >= without - 0.01
    matrix = np.array(row["recognition_matrix"], float)  # null becomes NaN
    assert matrix.shape == (agents, agents) and np.isfinite(np.diagonal(matrix)).all()
    assert np.isnan(matrix).any() and np.nanmin(matrix) >= 0 and np.nanmax(matrix) <= 1
    np.testing.assert_allclose(np.array(row["confusion"]).sum(1), 1.0, atol=1e-6)
    assert len(row["evidence_over_time"]["limit"]) == 6
    assert row["evidence_over_time"]["limit"][-1] == pytest.approx(
        row["limit"]["information"]["value"], abs=1e-9
    )


@pytest.mark.parametrize(
    ("observer", "mirror", "says"),
    [
        ({"neighbours": 6}, {}, "at most N - 1 = 5"),
        ({"neighbours": 2, "place": (0, 2)}, {}, "has 2 numbers"),
        ({"neighbours": 2, "place": (-1,)}, {}, "the first is number 0"),
        ({"neighbours": 2, "trunk": "stopped"}, {}, "cannot read neighbourhoods"),
        ({"neighbours": 2}, {"credit": "observer"}, "mirror.credit = observer"),
        ({"neighbours": 2}, {"credit": "self"}, "mirror.credit = self"),
        (
            {"neighbours": 2},
            {"credit": "adversarial", "teams": (0, 0, 0, 1, 1, 1)},
            "mirror.credit = adversarial",
        ),
        ({"neighbours": 2}, {"control": "limit"}, "mirror.control = limit"),
        ({"neighbours": 2}, {"observers_per_author": 2}, "mirror.observers_per_author = 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    observer: dict[str, Any], mirror: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        settled(ants(6, 1), MirrorSettings(**mirror), **observer)
    assert says in str(refused.value)


def test_lineups_without_an_exact_limit_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most 15"):
        settled(ants(24, 1), neighbours=16)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_heads_of_whole_lineups_are_refused_at_the_start(head: str) -> None:
    if HEADS[head].own_lineups:  # type: ignore[attr-defined]
        assert settled(ants(6, 1), head=head, neighbours=2).observer.place == (0,)
    else:
        with pytest.raises(ConfigError, match=f"'{head}'"):
            settled(ants(6, 1), head=head, neighbours=2)


@pytest.mark.parametrize(
    "world_id", [id for id, known in registry().items() if known.kind == "array"]
)
def test_every_world_knows_its_place_or_asks_for_it(world_id: str) -> None:
    world = make_batch(world_id, 1)
    size = population_shape(world).observation_size
    assert all(0 <= column < size for column in world.place_columns)
    if world.place_columns:
        assert settled(world, neighbours=1).observer.place == world.place_columns
    else:
        with pytest.raises(ConfigError, match="does not say where an agent is"):
            settled(world, neighbours=1)
    if size:
        # the user's word counts
        assert settled(world, neighbours=1, place=(size - 1,)).observer.place == (size - 1,)
