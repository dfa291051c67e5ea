"""Ray in this process, on this machine or joined to a cluster: quietly, and with an error that says where it failed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import ray

from mirrorenv.errors import TrainingError

__all__ = ["bring_ray_up"]


def bring_ray_up(
    address: str | None, processes: int, *, show_workers: bool = False, scripts: Path | None = None
) -> None:
    """Start Ray, or join a cluster.

    Args:
        address: of a cluster; None for this machine alone, never a stranger's cluster.
        processes: how many will run beside this one.
        show_workers: whether what they print is printed here.
        scripts: a folder of modules that travels to every node, and from which its tasks import; results and
            whatever else stands in it as a folder stays here.

    Raises:
        TrainingError: if Ray does not start.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(
            address=address or "local",
            # Ray waits in silence for CPUs that are not there: on a small machine processes share them instead.
            num_cpus=None if address else max(os.cpu_count() or 1, processes + 1),
            include_dashboard=None if address else False,
            log_to_driver=show_workers,
            runtime_env=None if scripts is None else {"working_dir": str(scripts), "excludes": ["*/"]},
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray has no class for it
        where = f"the cluster at {address}" if address else "this machine"
        raise TrainingError(f"Ray did not start on {where}: {error}") from error
