"""Ray in this process, on this machine or joined to a cluster: quietly, and with an error that says
where it failed."""

from __future__ import annotations

import logging
import os
import re
import socket
from pathlib import Path

import ray

from mirrorenv.errors import TrainingError

__all__ = ["bring_ray_up"]

_PATIENCE = 10.0  # seconds


def bring_ray_up(
    address: str | None, processes: int, *, show_workers: bool = False, scripts: Path | None = None
) -> None:
    """Start Ray, or join a cluster.

    Args:
        address: of a cluster; None for this machine alone, never a stranger's cluster.
        processes: how many will run beside this one.
        show_workers: whether what they print is printed here.
        scripts: a folder that travels to every node, whose tasks import from it under its own
            name; its folder `results` stays here.

    Raises:
        TrainingError: if Ray does not start.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    _reachable(address)
    try:
        ray.init(
            address=address or "local",
            # Ray waits in silence for CPUs that are not there: on a small machine processes share
            # them instead.
            num_cpus=None if address else max(os.cpu_count() or 1, processes + 1),
            include_dashboard=None if address else False,
            log_to_driver=show_workers,
            runtime_env=None
            if scripts is None
            else {"py_modules": [str(scripts)], "excludes": ["results"]},
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray has no class for it
        where = f"the cluster at {address}" if address else "this machine"
        raise TrainingError(f"Ray did not start on {where}: {error}") from error


def _reachable(address: str | None) -> None:
    """Ray itself would wait for minutes, and say so in words of its own."""
    if address is None or address == "auto":
        return
    found = re.fullmatch(r"(?:ray://)?(\[[0-9A-Fa-f:]+\]|[^\s:/@]+):(\d{1,5})", address)
    if found is None or not 0 < int(found[2]) < 65536:
        raise TrainingError(
            f"no address of a Ray cluster: {address!r}; write host:port, ray://host:port or auto"
        )
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=_PATIENCE).close()
    except OSError as error:
        raise TrainingError(f"no Ray cluster answers at {address}: {error}") from error
