"""The options of the `rllib` command, by the names they had in Ray 2.40, the last Ray whose command
worked.

Those whose meaning is gone are still known, so that they can be refused with what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from mirrorenv.errors import ConfigError
from mirrorenv.results.runs.files import parse_json

__all__ = ["GONE", "RayOptions", "TrainOptions", "json_option", "refuse_gone", "with_shared"]

Algo = Annotated[
    str | None, typer.Option("--algo", "--run", "-a", "-r", help="MirrorPPO, or RLlib's own PPO.")
]
Env = Annotated[
    str | None,
    typer.Option("--env", "-e", help="Id of a world (mirrorenv worlds), or package.module:Env."),
]
Config = Annotated[
    str,
    typer.Option(
        "--config", "-c", help="Settings of the algorithm as JSON; env_config holds the world's."
    ),
]
Stop = Annotated[
    str,
    typer.Option(
        "--stop",
        "-s",
        help='When to stop, as JSON, e.g. {"training_iteration": 10}: whichever is first.',
    ),
]
ExperimentName = Annotated[
    str, typer.Option("--experiment-name", "-n", help="Folder for results in the storage path.")
]
StoragePath = Annotated[
    str | None, typer.Option(help="Where results and checkpoints go (default: ~/ray_results).")
]
NumSamples = Annotated[int, typer.Option(min=1, help="How often each trial is repeated.")]
CheckpointFreq = Annotated[
    int, typer.Option(min=0, help="Iterations between checkpoints; 0: none on the way.")
]
CheckpointAtEnd = Annotated[bool, typer.Option(help="Whether to write a checkpoint at the end.")]
KeepCheckpointsNum = Annotated[
    int | None, typer.Option(min=1, help="How many of the best checkpoints to keep.")
]
CheckpointScoreAttr = Annotated[
    str, typer.Option(help="By which result; min-NAME for a small one.")
]
Restore = Annotated[
    str | None,
    typer.Option(help="A checkpoint of your own to start from (RLlib's part is a pickle)."),
]
Resume = Annotated[
    bool, typer.Option(help="Go on with the experiment of this name. The options must be the same.")
]
Scheduler = Annotated[
    str, typer.Option(help="Ray Tune's trial scheduler, e.g. FIFO or AsyncHyperBand.")
]
SchedulerConfig = Annotated[str, typer.Option(help="Its arguments, as JSON.")]
V = Annotated[
    bool, typer.Option("--log-info", "-v", help="Log at level INFO, print more of each trial.")
]
VV = Annotated[bool, typer.Option("--log-debug", "-vv", help="Log at level DEBUG.")]
RayAddress = Annotated[
    str | None, typer.Option(help="Join the Ray cluster at this address ('auto': the one here).")
]
RayUi = Annotated[bool, typer.Option(help="Start Ray's web page as well.")]
RayNumCpus = Annotated[int | None, typer.Option(min=1, help="CPUs of the Ray that is started.")]
RayNumGpus = Annotated[int | None, typer.Option(min=0, help="GPUs of the Ray that is started.")]
RayNumNodes = Annotated[
    int | None, typer.Option(min=1, help="Pretend to be this many nodes, on one machine.")
]
RayObjectStoreMemory = Annotated[int | None, typer.Option(min=1, help="Bytes of its object store.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]
ConfigFile = Annotated[
    Path, typer.Argument(help="A .yaml file of experiments, or a .py file that sets config.")
]

Checkpoint = Annotated[
    Path | None, typer.Argument(help="A checkpoint, or a trial's folder; none: untrained agents.")
]
Steps = Annotated[
    int, typer.Option(min=0, help="Stop after this many steps (0: no limit), or after --episodes.")
]
Episodes = Annotated[
    int, typer.Option(min=0, help="Stop after this many episodes (0: no limit), or after --steps.")
]
Out = Annotated[Path | None, typer.Option(help="Write the episodes here: .npz or .json.")]
TrackProgress = Annotated[
    bool, typer.Option(help="Keep a file __progress_NAME beside --out while playing.")
]

Framework = Annotated[str | None, typer.Option(help="torch; RLlib has no other any more.")]
_gone = {"hidden": True}
GoneFlag = Annotated[bool, typer.Option(**_gone)]
GoneText = Annotated[str | None, typer.Option(**_gone)]

GONE = {
    "trace": "TensorFlow's eager tracing went with TensorFlow. Leave it out",
    "local_mode": "Ray has no local mode any more. To debug in one process: mirrorenv train ID (no "
    "actors by default)",
    "resources_per_trial": "RLlib computes a trial's resources. Say it in --config: "
    "num_env_runners, "
    "num_cpus_per_env_runner, num_learners, num_gpus_per_learner",
    "local_dir": "it is called --storage-path now",
    "upload_dir": "it is --storage-path now, which takes a URI such as s3://bucket as well",
    "wandb_key": "no key belongs on a command line. From Python: "
    "tune.RunConfig(callbacks=[WandbLoggerCallback(...)])",
    "wandb_project": "see --wandb-key: from Python, with "
    "tune.RunConfig(callbacks=[WandbLoggerCallback(...)])",
    "wandb_run_name": "see --wandb-key: from Python, with "
    "tune.RunConfig(callbacks=[WandbLoggerCallback(...)])",
    "file_type": "the ending of the file says it: .yaml or .py. Leave it out",
    "use_shelve": "a shelf is made of pickles. Use --out episodes.npz, or --out episodes.json",
    "save_info": "worlds keep nothing in infos. --out always holds observations, actions, rewards "
    "and done flags",
    "render": "no window is opened. mirrorenv.make(ID, render_mode='rgb_array').render() draws a "
    "world",
}
"""Options that are refused, with the remedy."""


def refuse_gone(framework: str | None = None, **given: Any) -> None:
    """Refuse options that would have no effect.

    Raises:
        ConfigError: names the option and what to do instead.
    """
    for name, value in given.items():
        if value:
            raise ConfigError(f"--{name.replace('_', '-')}: {GONE[name]}")
    if framework not in (None, "torch"):
        raise ConfigError(
            f"--framework {framework}: RLlib has only torch since Ray 2.42. Leave it out"
        )


def json_option(option: str, text: str) -> dict[str, Any]:
    """A JSON object given on the command line.

    Raises:
        ConfigError: if it is none.
    """
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ConfigError(
            f"{option} is not valid JSON ({error}). Quote it: {option} '{{\"key\": 1}}'"
        ) from None
    if not isinstance(value, dict):
        raise ConfigError(f'{option} must be a JSON object such as {{"key": 1}}, got {text}')
    return value


@dataclass(frozen=True)
class RayOptions:
    """Which Ray to train on."""

    address: str | None = None
    ui: bool = False
    num_cpus: int | None = None
    num_gpus: int | None = None
    num_nodes: int | None = None
    object_store_memory: int | None = None

    def __post_init__(self) -> None:
        sizes = (self.num_cpus, self.num_gpus, self.num_nodes, self.object_store_memory)
        if self.address is not None and (self.ui or any(size is not None for size in sizes)):
            raise ConfigError(
                "--ray-address joins a cluster that is there, and --ray-num-cpus, --ray-num-gpus, "
                "--ray-num-nodes, "
                "--ray-object-store-memory and --ray-ui describe one to start: give one or the "
                "other"
            )


@dataclass(frozen=True)
class TrainOptions:
    """The options that `train` and `train file` share."""

    env: Env = None
    stop: Stop = "{}"
    checkpoint_freq: CheckpointFreq = 0
    checkpoint_at_end: CheckpointAtEnd = True
    keep_checkpoints_num: KeepCheckpointsNum = None
    checkpoint_score_attr: CheckpointScoreAttr = "training_iteration"
    storage_path: StoragePath = None
    v: V = False
    vv: VV = False
    framework: Framework = None
    trace: GoneFlag = False
    local_mode: GoneFlag = False
    ray_address: RayAddress = None
    ray_ui: RayUi = False
    ray_num_cpus: RayNumCpus = None
    ray_num_gpus: RayNumGpus = None
    ray_num_nodes: RayNumNodes = None
    ray_object_store_memory: RayObjectStoreMemory = None
    resume: Resume = False
    scheduler: Scheduler = "FIFO"
    scheduler_config: SchedulerConfig = "{}"
    as_json: Json = False

    def refuse_gone(self, **own: Any) -> None:
        """Refuse options that would have no effect, and those of the command's own."""
        refuse_gone(self.framework, trace=self.trace, local_mode=self.local_mode, **own)

    @property
    def ray(self) -> RayOptions:
        """Which Ray to train on."""
        return RayOptions(
            self.ray_address,
            self.ray_ui,
            self.ray_num_cpus,
            self.ray_num_gpus,
            self.ray_num_nodes,
            self.ray_object_store_memory,
        )

    def experiment(self) -> dict[str, Any]:
        """What an experiment is told, by its names."""
        return {
            "stop": json_option("--stop", self.stop),
            "checkpoint_freq": self.checkpoint_freq,
            "checkpoint_at_end": self.checkpoint_at_end,
            "keep_checkpoints_num": self.keep_checkpoints_num,
            "checkpoint_score_attr": self.checkpoint_score_attr,
            "storage_path": self.storage_path or "~/ray_results",
            "scheduler": self.scheduler,
            "scheduler_config": json_option("--scheduler-config", self.scheduler_config),
        }


def with_shared(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `shared` is spread out: every field is an option of its own.

    Typer reads a command's options off its signature, so this is where they are joined.
    """
    own = get_type_hints(command, include_extras=True)
    kind = own.pop("shared")
    own.pop("return", None)
    joined = get_type_hints(kind, include_extras=True)

    def spread(**given: Any) -> None:
        shared = kind(**{name: given.pop(name) for name in joined})
        command(**given, shared=shared)

    parameters = [
        one.replace(annotation=own[one.name])
        for one in signature(command).parameters.values()
        if one.name in own
    ]
    parameters += [
        Parameter(
            one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=joined[one.name]
        )
        for one in fields(kind)
    ]
    spread.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {**own, **joined}
    return spread
