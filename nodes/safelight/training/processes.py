"""Several processes for one stage of the training."""

import os
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn, ParamSpec

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

P = ParamSpec("P")

# glibc gives large freed blocks back to the system at once, and training asks
# for the same blocks again each step; these limits let it keep them.
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
}
PATIENCE = timedelta(minutes=15)  # one process may draw a contact sheet while the others wait


def launch(processes: int, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `work` in each of `processes` new processes, joined for averaging.

    Raises:
        ValueError: if `processes` is less than one.
    """
    if processes < 1:
        raise ValueError(f"cannot train in {processes} processes")
    os.environ.update({k: v for k, v in KEEP_FREED_MEMORY.items() if k not in os.environ})
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        start_processes(  # type: ignore[no-untyped-call]
            _joined, (processes, meeting, work, args, kwargs), processes, start_method="spawn"
        )


def _joined(
    rank: int,
    processes: int,
    meeting: str,
    work: Callable[..., None],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    """Be process number `rank`: meet the others, work, part."""
    share = max(1, (os.cpu_count() or 1) // processes)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", share)))
    dist.init_process_group("gloo", meeting, PATIENCE, processes, rank)
    try:
        work(*args, **kwargs)
        dist.barrier()  # nobody hangs up while another still listens
    finally:
        dist.destroy_process_group()
    _leave()


def _leave() -> NoReturn:
    """End this process without tearing the interpreter down.

    Threads of gloo may still be running then, and C++ aborts a process whose
    static objects are destroyed under a running thread.  All work is on disk.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
