"""How complex are trained policies? The local learning coefficient of agents, from a checkpoint, a
run folder, or the populations that `auxiliaries.py` left behind.

An agent is trained on a loss that changes as it acts, so the loss that is sampled here is one that
its weights are a minimum of whatever they were trained on: how far a policy with other weights
strays from it on the steps of its own held-out episodes, as the divergence KL(policy, other) in
nats a step, summed over agents. Where actions are no categories, or with `--loss actions`, it is
what the other policy loses on the actions that were taken: its weights need not be a minimum of
that, and a coefficient on a slope is refused.

All of a population's actors are one model. n is the number of steps, the temperature n / log n.
Estimates are printed at several pulls (gamma): compare numbers of one setting only, and remember
that chains need 2 / (gamma step_size) steps to forget where they began. A coefficient
that is negative, on a slope, not settled, or of chains that left, is refused with its reason.

    python benchmarks/studies/agent_complexity.py --smoke
    python benchmarks/studies/agent_complexity.py runs/ants [runs/other ...]
    python benchmarks/studies/agent_complexity.py runs/auxiliaries --world mirrorenv/chain-v0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import torch
from torch import Tensor, nn

from benchmarks.shared.grid import interval, print_table
from benchmarks.shared.runner import Progress, Script, machine
from mirrorenv.complexity.learning_coefficient import LearningCoefficient, sweep
from mirrorenv.complexity.models import flat_weights, module_loss
from mirrorenv.complexity.sampling import ChainSettings, Loss
from mirrorenv.envs import make_batch
from mirrorenv.errors import ConfigError
from mirrorenv.population import Population, population_shape
from mirrorenv.population.checkpoint import load_population, world_of
from mirrorenv.population.distributions import Categorical
from mirrorenv.population.experience import Experience
from mirrorenv.population.objectives.feeding import FED
from mirrorenv.population.reading import play_held_out
from mirrorenv.population.settings import PopulationSettings

GAMMAS = (10.0, 100.0, 1000.0)
LOSSES = ("itself", "actions")


class Law(nn.Module):
    """A population's actors as one model of what they do on recorded steps.

    Args:
        actor: the actors.
        record: B episodes that they played.
        itself: whether a loss is the divergence from the actors as they are, or minus the log
            probability of what they did.

    Raises:
        ConfigError: if a divergence is asked for and actions are no categories.
    """

    def __init__(self, actor: nn.Module, record: Experience, *, itself: bool) -> None:
        super().__init__()
        self.actor = actor
        self._actions = torch.from_numpy(record.actions)
        mask = torch.from_numpy(record.mask).float()
        self._share = mask / mask[..., 0].sum().clamp_min(1.0)  # of a step, agents summed
        self._seen = torch.from_numpy(record.observations).float()
        if FED in record.columns:
            self._seen = torch.cat([self._seen, torch.from_numpy(record.columns[FED])], -1)
        self._own: Tensor | None = None
        if itself:
            with torch.no_grad():
                law = self.actor.sequence(self._seen).distribution  # type: ignore[operator]
            if not isinstance(law, Categorical):
                raise ConfigError(
                    "--loss itself: the divergence is of choices among a few, and these actions "
                    "are others: give --loss actions"
                )
            self._own = law.outputs.log_softmax(-1)

    def forward(self, _: Tensor) -> Tensor:
        """The loss, a scalar."""
        law = self.actor.sequence(self._seen).distribution  # type: ignore[operator]
        if self._own is None:
            return -(law.log_probability(self._actions) * self._share).sum()
        other = law.outputs.log_softmax(-1)
        far = (self._own.exp() * (self._own - other)).sum(-1)  # (B, T, N)
        return (far * self._share).sum()


def coefficients(
    population: Population,
    record: Experience,
    *,
    itself: bool,
    gammas: Sequence[float],
    chains: ChainSettings,
) -> list[LearningCoefficient]:
    """The local learning coefficient of a population's actors, one for each pull.

    Args:
        population: whose actors.
        record: held-out episodes of theirs.
        itself: see `Law`.
        gammas: pulls.
        chains: how chains move; `n_beta` is set here, to n / log n of the steps n.
    """
    law = Law(population.actor, record, itself=itself)
    steps = int(record.mask[..., 0].sum())
    loss: Loss = module_loss(law, lambda value: value, torch.zeros(()))
    n_beta = steps / math.log(steps)
    return sweep(loss, flat_weights([law]), chains, gammas=gammas, n_betas=[n_beta])


def main() -> None:
    """Measure every population that is found, and print a row for each place."""
    smoke = {"copies": 4, "chains": 2, "burn_in": 10, "draws": 4, "thin": 1}
    script = Script(__doc__, json=True, seed=0, smoke=smoke)
    script.add_argument(
        "folders", nargs="*", type=Path, help="checkpoints, runs, or folders of them"
    )
    script.add_argument("--world", help="of populations that do not say theirs")
    script.add_argument("--food", action="store_true", help="its option food = true (ants)")
    script.add_argument("--loss", choices=LOSSES, default="itself")
    script.add_argument("--copies", type=int, default=32, help="held-out episodes (default 32)")
    script.add_argument("--chains", type=int, default=4)
    script.add_argument("--burn-in", type=int, default=1000)
    script.add_argument("--draws", type=int, default=40)
    script.add_argument("--thin", type=int, default=10, help="steps between draws")
    script.add_argument("--step-size", type=float, default=1e-4)
    options = script.parse()
    found = [place for folder in options.folders for place in populations(folder)]
    if not found and not options.smoke:
        raise ConfigError(
            f"no population in {', '.join(map(str, options.folders)) or 'no folder'}: give a "
            "checkpoint, a run folder, or what auxiliaries.py wrote to --out"
        )
    progress = Progress(max(len(found), 1))
    rows: dict[str, list[list[LearningCoefficient]]] = {}
    if options.smoke and not found:
        rows["untrained"] = [measured(*untrained(), options)]
    for place in found:
        population, about = load_population(place)
        name = str(place.parent)
        rows.setdefault(name, []).append(measured(population, *world(about, options), options))
        progress.done(str(place))
    table(rows)
    content = {
        place: [[asdict(one) for one in each] for each in made] for place, made in rows.items()
    }
    script.save(
        {"benchmark": "agent_complexity", **machine(), "loss": options.loss, "rows": content}
    )


def populations(folder: Path) -> list[Path]:
    """The populations in a folder, at any depth; of a run, the last checkpoint."""
    inside = sorted(path.parent for path in folder.rglob("manifest.json"))
    last: dict[Path, Path] = {}
    for place in inside:
        run = place.parent.parent if place.parent.name == "checkpoints" else place
        last[run] = place  # names of checkpoints count steps: the last is the newest
    return list(last.values())


def world(about: dict[str, Any], options: Any) -> tuple[str, dict[str, Any]]:
    """The world a population was trained in, and its options."""
    if "world" in about:
        return world_of(about, options.world)
    if not options.world:
        raise ConfigError("these populations do not say their world: name it with --world")
    return options.world, {"food": True} if options.food else {}


def untrained() -> tuple[Population, str, dict[str, Any]]:
    """Somebody to try this on."""
    id = "mirrorenv/chain-v0"
    return Population(population_shape(make_batch(id, 1)), PopulationSettings(hidden=8)), id, {}


def measured(
    population: Population, id: str, arguments: dict[str, Any], options: Any
) -> list[LearningCoefficient]:
    """One population's coefficients."""
    record = play_held_out(
        population, make_batch(id, options.copies, **arguments), seed=options.seed
    )
    chains = ChainSettings(
        1.0,
        step_size=options.step_size,
        chains=options.chains,
        burn_in=options.burn_in,
        draws=options.draws,
        thin=options.thin,
    )
    itself = options.loss == "itself"
    return coefficients(population, record, itself=itself, gammas=GAMMAS, chains=chains)


def table(rows: dict[str, list[list[LearningCoefficient]]]) -> None:
    """Print a row a place: mean over its populations at each pull, and what was refused."""
    lines = []
    for place, made in rows.items():
        cells = [place, str(len(made))]
        for number in range(len(GAMMAS)):
            each = [one[number] for one in made]
            refused = [one.reason for one in each if one.value is None]
            valid = [one.value for one in each if one.value is not None]
            text = interval(valid) if valid else "none"
            if refused:
                text += f" ({len(refused)} refused: {refused[0].split(',')[0].split(':')[0]})"
            cells.append(text)
        loss = sum(one[-1].chain_loss for one in made) / len(made)
        lines.append([*cells, f"{loss:.4f}"])
    columns = ["place", "populations", *(f"gamma {gamma:g}" for gamma in GAMMAS)]
    print_table(
        "local learning coefficients; 95 % t intervals over populations",
        [*columns, "mean chain loss, last gamma"],
        lines,
    )


if __name__ == "__main__":
    main()
