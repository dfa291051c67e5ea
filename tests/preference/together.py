"""Two workers in two processes of this machine, for tests: forked, so that nothing is imported
again."""

from __future__ import annotations

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

from mirrorenv.preference.workers import Workers, join_workers


def together(work: Callable[[Workers], None], folder: Path, size: int = 2) -> list[int | None]:
    """Have workers do something; what one raises is written to `folder`.

    Returns:
        exit codes by rank; None for one that did not end.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def one(rank: int) -> None:
        import torch
        from accelerate.state import AcceleratorState, GradientState

        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        torch.set_num_threads(1)  # threads of the parent are not there any more
        AcceleratorState._reset_state(True)  # what the parent, who is alone, has found out
        GradientState._reset_state()
        try:
            workers = join_workers("cpu")
            work(workers)
            workers.close()
        except Exception:
            (folder / f"worker{rank}.txt").write_text(traceback.format_exc())
            raise

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=one, args=(rank,)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]
