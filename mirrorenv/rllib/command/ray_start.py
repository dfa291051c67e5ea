"""Start Ray for the `rllib` command, or join one; and leave it as it was found."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from mirrorenv.rllib.command.options import RayOptions

__all__ = ["ray_for"]


@contextmanager
def ray_for(options: RayOptions) -> Iterator[None]:
    """Ray, while the block lasts.

    A Ray that is already up in this process is used as it is. Else `--ray-address`, or the
    environment variable RAY_ADDRESS (which `ray job submit` sets), names a cluster to join; without
    either, Ray starts on this machine alone and never joins a stranger's.
    """
    if ray.is_initialized():
        yield
        return
    address = options.address or os.environ.get("RAY_ADDRESS") or "local"
    sizes = {
        "num_cpus": options.num_cpus,
        "num_gpus": options.num_gpus,
        "object_store_memory": options.object_store_memory,
    }
    cluster = None
    if address != "local":
        ray.init(address=address, logging_level=logging.ERROR)
    elif options.num_nodes:
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        given = {name: size for name, size in sizes.items() if size is not None}
        for _ in range(options.num_nodes):
            cluster.add_node(**{"num_cpus": 1, **given})
        ray.init(address=cluster.address, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local", include_dashboard=options.ui, logging_level=logging.ERROR, **sizes
        )
    try:
        yield
    finally:
        ray.shutdown()
        if cluster is not None:
            cluster.shutdown()
