"""Does a classifier that predicts its own hidden layer become simpler, and is it the self that does
it? The published claim with every control.

Arms: nothing; the network's own hidden layer as a target (behind a stop-gradient, at several
weights, and without one); another example's hidden layer; a random projection of the input; a
penalty on activations; weight decay. Matched arms have one size of gradient, or another arm's
spread of weights. Seeds and arms are trained side by side in one module. Measured on the classifier
alone: accuracy, spread of the weights of each layer, size of the activations, their product (which
does not change when scale moves between layers), path norm, effective rank, and the local learning
coefficient at the published estimator's setting and at n / log n, after training and after further
epochs on cross-entropy only. A coefficient that is no
number of a minimum (negative, on a slope, not settled) is flagged and counted.

Every finished arm is a file under --out: a run that was interrupted goes on with the missing ones.

    python benchmarks/studies/self_modelling.py --smoke              # a minute
    python benchmarks/studies/self_modelling.py                      # scikit-learn's digits
    python benchmarks/studies/self_modelling.py --task fashion       # after: make data-fashion
    python benchmarks/studies/self_modelling.py --data FOLDER        # MNIST, CIFAR-10 or aclImdb
    python benchmarks/studies/self_modelling.py --task colours       # a stand-in; also: sentiment
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared import self_model_pages
from benchmarks.shared.labelled import Labelled, digits, fashion, read_folder, summary
from benchmarks.shared.runner import Progress, Script, machine, say
from benchmarks.shared.self_model_losses import full_loss, minibatch_loss
from benchmarks.shared.self_models import (
    ARMS,
    FEW_ARMS,
    Arm,
    Stack,
    Training,
    histogram,
    measure,
    stream,
    train,
)
from benchmarks.shared.stand_ins import colours, sentiment
from mirrorenv.complexity.learning_coefficient import LearningCoefficient, learning_coefficients
from mirrorenv.complexity.sampling import ChainSettings
from mirrorenv.errors import ConfigError
from mirrorenv.results.runs.files import atomic_write_text, read_json

PAPER_BETA = 82.0
"""512 / log 512: what the published code calls the optimal temperature, whatever n is."""
EDGES = np.linspace(-0.5, 0.5, 41)


@dataclass(frozen=True)
class Preset:
    """What a task is trained with where the user says nothing."""

    load: Callable[[], Labelled]
    arms: tuple[Arm, ...]
    images: int
    epochs: int
    batch: int
    seeds: int
    anneal: int
    chains: int
    burn_in: int
    draws: int
    thin: int


PRESETS = {
    "digits": Preset(digits, ARMS, 0, 60, 64, 8, 40, 4, 150, 10, 30),
    "fashion": Preset(fashion, FEW_ARMS, 10_000, 30, 128, 10, 5, 3, 100, 4, 25),
    "colours": Preset(colours, FEW_ARMS, 0, 30, 128, 5, 5, 3, 100, 4, 25),
    "sentiment": Preset(sentiment, FEW_ARMS, 0, 15, 128, 5, 5, 3, 100, 4, 25),
}
OF_A_FOLDER = Preset(digits, FEW_ARMS, 10_000, 50, 128, 10, 10, 3, 150, 5, 40)
SMOKE = {"seeds": 2, "epochs": 4, "anneal": 1, "images": 256, "draws": 4, "burn_in": 10}


def main() -> None:
    """Run what is missing, then draw everything."""
    script = Script(__doc__, json=True, smoke=SMOKE)
    script.add_argument("--task", choices=sorted(PRESETS), default="digits")
    script.add_argument("--data", type=Path, help="folder with MNIST, CIFAR-10 or aclImdb")
    script.add_argument("--hidden", type=int, nargs="+", default=[128], help="widths")
    script.add_argument("--arms", nargs="+", help="names of arms; those of the task if not given")
    script.add_argument("--images", type=int, help="training examples; 0 for all")
    script.add_argument("--epochs", type=int)
    script.add_argument("--batch", type=int)
    script.add_argument("--seeds", type=int)
    script.add_argument("--anneal", type=int, help="epochs on cross-entropy alone")
    script.add_argument("--chains", type=int)
    script.add_argument("--burn-in", type=int, help="steps before the first draw")
    script.add_argument("--draws", type=int, help="losses over all data, per chain")
    script.add_argument("--thin", type=int, help="steps between them")
    script.add_argument("--together", type=int, default=4, help="arms trained side by side")
    script.add_argument("--out", type=Path, default=Path("runs/self-modelling"))
    options = script.parse()
    preset = OF_A_FOLDER if options.data else PRESETS[options.task]
    for name in (
        "images",
        "epochs",
        "batch",
        "seeds",
        "anneal",
        "chains",
        "burn_in",
        "draws",
        "thin",
    ):
        if getattr(options, name) is None:
            setattr(options, name, getattr(preset, name))
    task = (read_folder(options.data) if options.data else preset.load()).first(options.images)
    arms = chosen(options.arms, preset.arms)
    if options.smoke:
        options.out = options.out.with_name(options.out.name + "-smoke")
    groups = [
        Group(task, hidden, arms, settings_of(options, task, hidden), options.out)
        for hidden in options.hidden
    ]
    progress = Progress(sum(len(group.missing()) for group in groups))
    for group in groups:
        group.run(options.together, progress)
    content = {
        "benchmark": "self_modelling",
        **machine(),
        "data": summary(task),
        "widths": [group.result() for group in groups],
    }
    self_model_pages.show(content)
    page = self_model_pages.write(content, options.out / slug(task.name))
    say(f"Open this page:\n  file://{page.resolve()}")
    script.save(content)


def chosen(names: Sequence[str] | None, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """The arms of these names, or the task's own.

    Raises:
        ConfigError: naming the arms there are.
    """
    if names is None:
        return arms
    known = {arm.name: arm for arm in ARMS}
    for name in names:
        if name not in known:
            raise ConfigError(f"--arms: there is no '{name}'; there are: {', '.join(known)}")
    return tuple(known[name] for name in names)


def settings_of(options: Any, task: Labelled, hidden: int) -> dict[str, Any]:
    """All that a result depends on besides the arm."""
    names = ("epochs", "batch", "seeds", "anneal", "chains", "burn_in", "draws", "thin")
    return {
        **summary(task),
        "hidden": hidden,
        **{name: getattr(options, name) for name in names},
    }


def slug(name: str) -> str:
    """A name as part of a path."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


class Group:
    """All arms of one task and width."""

    def __init__(
        self,
        task: Labelled,
        hidden: int,
        arms: tuple[Arm, ...],
        settings: dict[str, Any],
        out: Path,
    ) -> None:
        self.task = task
        self.hidden = hidden
        self.arms = arms
        self.settings = settings
        self.folder = out / slug(task.name) / f"hidden-{hidden}"

    def file(self, arm: Arm) -> Path:
        """Where a finished arm lies."""
        return self.folder / f"{slug(arm.name)}.json"

    def missing(self) -> list[Arm]:
        """Arms without a file.

        Raises:
            ConfigError: if a file is of other settings.
        """
        found = []
        for arm in self.arms:
            if not self.file(arm).exists():
                found.append(arm)
                continue
            recorded = read_json(self.file(arm)).get("settings", {})
            for name, value in self.settings.items():
                if recorded.get(name) != value:
                    raise ConfigError(
                        f"{self.file(arm)} was made with {name} = {recorded.get(name)}, and now "
                        f"it is {value}: give another --out, or remove that folder"
                    )
        return found

    def run(self, together: int, progress: Progress) -> None:
        """Train and measure what is missing, some arms at a time."""
        arms = self.missing()
        self.folder.mkdir(parents=True, exist_ok=True)
        for begin in range(0, len(arms), together):
            part = arms[begin : begin + together]
            for arm, result in zip(part, self._results(part), strict=True):
                atomic_write_text(self.file(arm), json_text(result))
                progress.done(f"{self.task.name}, {self.hidden} units, {arm.name}")

    def result(self) -> dict[str, Any]:
        """All finished arms."""
        return {"settings": self.settings, "arms": [read_json(self.file(arm)) for arm in self.arms]}

    def _results(self, arms: Sequence[Arm]) -> list[dict[str, Any]]:
        settings = self.settings
        seeds = range(settings["seeds"])
        stack = Stack(arms, seeds, self.task.inputs.shape[1], self.hidden, self.task.classes)
        curves: list[tuple[torch.Tensor, torch.Tensor]] = []
        how = Training(settings["epochs"], settings["batch"])

        def keep(_: int, entropy: torch.Tensor, extra: torch.Tensor) -> None:
            curves.append((entropy.mean(1), extra.mean(1)))

        train(stack, self.task, how, after_epoch=keep, spreads=self._spreads(arms))
        trained = measure(stack, self.task)
        found = [
            {
                "arm": asdict(arm),
                "settings": settings,
                "trained": trained[number],
                "curve": {
                    "cross_entropy": [float(entropy[number]) for entropy, _ in curves],
                    "auxiliary": [float(extra[number]) for _, extra in curves],
                },
                "histogram": histogram(stack, number, EDGES),
                "coefficients": {
                    "paper": self._coefficients(stack, number, PAPER_BETA),
                    "n / log n": self._coefficients(stack, number, self.watanabe),
                },
            }
            for number, arm in enumerate(arms)
        ]
        again = Training(settings["anneal"], settings["batch"])
        train(stack, self.task, again, auxiliaries=False, first_epoch=settings["epochs"])
        annealed = measure(stack, self.task)
        for number, row in enumerate(found):
            row["annealed"] = annealed[number]
            row["coefficients"]["n / log n, annealed"] = self._coefficients(
                stack, number, self.watanabe
            )
        return found

    def _spreads(self, arms: Sequence[Arm]) -> torch.Tensor:
        """What the last layers' spread is steered to, (A, S); NaN where it is left alone.

        Raises:
            ConfigError: if an arm is to match one that is not finished.
        """
        found = torch.full((len(arms), self.settings["seeds"]), torch.nan)
        for number, arm in enumerate(arms):
            if not arm.matches:
                continue
            other = next(one for one in ARMS if one.name == arm.matches)
            if not self.file(other).is_file():
                raise ConfigError(
                    f"'{arm.name}' matches '{other.name}', which is not finished here: run that "
                    "arm first (--arms, or a smaller --together)"
                )
            rows = read_json(self.file(other))["trained"]
            found[number] = torch.tensor([row.get("spread_last", torch.nan) for row in rows])
        return found

    @property
    def watanabe(self) -> float:
        """n / log n."""
        size = len(self.task.labels)
        return size / math.log(size)

    def _coefficients(self, stack: Stack, arm: int, n_beta: float) -> list[dict[str, Any]]:
        settings = self.settings
        chains = ChainSettings(
            n_beta,
            gamma=100.0,
            step_size=1e-4,
            chains=settings["chains"],
            burn_in=settings["burn_in"],
            draws=settings["draws"],
            thin=settings["thin"],
        )
        source = stream("chains", n_beta)
        weights = stack.classifier(arm)
        finite = weights.isfinite().all(-1)  # (S,)
        found: list[dict[str, Any]] = []
        if finite.any():
            try:
                measured = learning_coefficients(
                    full_loss(self.task, self.hidden),
                    weights[finite],
                    chains,
                    source,
                    trained_on=minibatch_loss(self.task, self.hidden, 128, source),
                    worst_loss=math.log(self.task.classes),
                )
                found = [as_row(one) for one in measured]
            except ConfigError as error:  # chains that left the numbers lose nothing else
                found = [no_row(str(error))] * int(finite.sum())
        rest = iter(found)
        gone = "training left the numbers: a smaller weight or rate"
        return [next(rest) if whole else no_row(gone) for whole in finite.tolist()]


def no_row(reason: str) -> dict[str, Any]:
    """A coefficient that could not be measured, for JSON."""
    return {"value": None, "reason": reason, "estimate": None, "chain_loss": None}


def as_row(one: LearningCoefficient) -> dict[str, Any]:
    """A coefficient for JSON."""
    row = asdict(one)
    row["settings"] = {name: row["settings"][name] for name in ("n_beta", "gamma", "step_size")}
    return row


def json_text(content: Any) -> str:
    """JSON as it is kept."""
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    main()
