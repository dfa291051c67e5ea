"""Settings of every arm of `self_modelling.py`, each chosen with the same number of trials, on a
part of the training data that it does not learn from. Test data is never looked at.

What is searched: the learning rate, and the weight (or the decay) of the arm's auxiliary. Every arm
is a study of Optuna in one SQLite file under --out, so that a search that was interrupted goes on:
finished trials stay, one that was cut short is begun again as another.

    pip install '.[studies,optuna]'
    python benchmarks/studies/self_modelling_search.py --smoke
    python benchmarks/studies/self_modelling_search.py --task fashion --trials 30
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import torch

from benchmarks.shared.grid import print_table
from benchmarks.shared.labelled import Labelled
from benchmarks.shared.runner import Script, machine, say
from benchmarks.shared.self_models import Arm, Stack, Training, stream, train
from benchmarks.studies.self_modelling import PRESETS, chosen, slug
from mirrorenv.errors import ConfigError, MissingExtraError

HELD_BACK = 0.2
"""Share of the training data that settings are judged by."""
KINDS = ("base", "self-model 5", "no stop-gradient 5", "shuffled target 5", "random target 5")
KINDS += ("activation penalty 0.2", "weight decay 0.001")
"""One arm of each kind; its weight is what is searched."""


def main() -> None:
    """Search every arm, as far as trials are missing."""
    script = Script(__doc__, json=True, smoke={"trials": 2, "images": 256, "epochs": 2, "seeds": 2})
    script.add_argument("--task", choices=sorted(PRESETS), default="digits")
    script.add_argument("--arms", nargs="+", default=KINDS, help="names of arms, one a kind")
    script.add_argument("--trials", type=int, default=20, help="of each arm, earlier ones included")
    script.add_argument("--images", type=int, default=0, help="training examples; 0 for all")
    script.add_argument("--epochs", type=int, default=20)
    script.add_argument("--batch", type=int, default=64)
    script.add_argument("--seeds", type=int, default=3, help="networks of a trial")
    script.add_argument("--hidden", type=int, default=128)
    script.add_argument("--out", type=Path, default=Path("runs/self-modelling-search"))
    options = script.parse()
    if options.smoke:
        options.out = options.out.with_name(options.out.name + "-smoke")
    task = parted(PRESETS[options.task].load().first(options.images))
    arms = chosen(options.arms, ())
    found = {arm.name: search(arm, task, options) for arm in arms}
    rows = [
        [name, f"{one['accuracy']:.4f}", *(f"{one[key]:.4g}" for key in ("rate", "weight"))]
        for name, one in found.items()
    ]
    title = f"{task.name}, {options.trials} trials each; accuracy on held-back training data"
    print_table(title, ["arm", "accuracy", "rate", "weight or decay"], rows)
    script.save({"benchmark": "self_modelling_search", **machine(), "task": task.name, **found})


def parted(task: Labelled) -> Labelled:
    """The training data as a task of its own, whose test data is a part held back from it."""
    order = np.random.default_rng(5).permutation(len(task.labels))
    held, kept = np.split(order, [int(HELD_BACK * len(order))])
    return Labelled(
        task.name,
        task.inputs[kept],
        task.labels[kept],
        task.inputs[held],
        task.labels[held],
        task.classes,
    )


def search(arm: Arm, task: Labelled, options: Any) -> dict[str, float]:
    """The best settings of an arm after all its trials.

    Raises:
        MissingExtraError: without Optuna.
        ConfigError: if the file holds a search of other settings, or is none.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("a search needs Optuna: pip install '.[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "trials.sqlite3"
    settings = {
        name: getattr(options, name) for name in ("task", "images", "epochs", "batch", "seeds")
    }
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{file}",
            study_name=f"{slug(arm.name)}-hidden-{options.hidden}",
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=stream(arm.name).initial_seed() % 2**32),
            load_if_exists=True,
        )
        earlier = study.user_attrs.get("settings")
    except Exception as error:  # what SQLAlchemy and SQLite raise has no base of its own
        raise ConfigError(
            f"{file} cannot be read as a search ({type(error).__name__}: {error}): move it away, "
            "or give another --out"
        ) from error
    if earlier is None:
        study.set_user_attr("settings", settings)
    elif earlier != settings:
        raise ConfigError(
            f"{file} holds a search with {earlier}, and now it is {settings}: give another --out"
        )
    states = optuna.trial.TrialState
    cut_short = study.get_trials(deepcopy=False, states=(states.RUNNING,))
    for trial in cut_short:
        study.tell(trial.number, state=states.FAIL)
    done = len(study.get_trials(deepcopy=False, states=(states.COMPLETE,)))
    if done or cut_short:
        say(f"{arm.name}: goes on after {done} trials, {len(cut_short)} were cut short")
    missing = options.trials - done
    if missing > 0:
        study.optimize(tried(arm, task, options), n_trials=missing)
    best = study.best_trial
    return {"accuracy": float(study.best_value), "weight": 0.0, "trials": done, **best.params}


def tried(arm: Arm, task: Labelled, options: Any) -> Callable[[Any], float]:
    """What Optuna calls: a trial -> mean accuracy over seeds, on what was held back."""

    def accuracy(trial: Any) -> float:
        rate = trial.suggest_float("rate", 1e-3, 5e-2, log=True)
        made = arm
        if arm.auxiliary:
            made = replace(arm, weight=trial.suggest_float("weight", 0.05, 50.0, log=True))
        elif arm.decay:
            made = replace(arm, decay=trial.suggest_float("weight", 1e-5, 1e-2, log=True))
        seeds = range(100, 100 + options.seeds)  # none that the study reports
        stack = Stack([made], seeds, task.inputs.shape[1], options.hidden, task.classes)
        train(stack, task, Training(options.epochs, options.batch, rate))
        return right(stack, task)

    return accuracy


@torch.no_grad()
def right(stack: Stack, task: Labelled) -> float:
    """Mean accuracy of all networks; one that left the numbers has none right."""
    shown = torch.from_numpy(task.test_inputs).expand(len(stack.seeds), -1, -1)
    _, outputs = stack.forward(shown)
    answers = outputs[..., : stack.classes].nan_to_num(-1e9).argmax(-1)
    return float((answers == torch.from_numpy(task.test_labels)).double().mean())


if __name__ == "__main__":
    main()
