"""Headroom: how much memory is left, and what it looks like when there was too little.

A GPU that has too little memory says so: the allocation fails, and one may try with less.  A
computer's system mostly does not.  It promises more than it has, for programs ask for more than
they use, and when promises fall due it ends one of them.  So work whose need is known is better
held against what is `left` before it is begun; and where something was refused after all,
`ran_out` tells that from other failures.

Source: Linux, Documentation/filesystems/proc.rst, "MemAvailable", and mm/overcommit-accounting.rst.
"""

from math import inf
from pathlib import Path

import torch

from safelight.diffusion.streaming import Bytes

# How errors speak of too little memory that are of no type of their own.
SHORTAGES = ("can't allocate memory", "not enough memory", "bad_alloc", "STATUS_ALLOC_FAILED")
TOLD = "MemAvailable:"  # the line of Linux's report, in kB: free, or to be freed without loss


def left(report: Path = Path("/proc/meminfo")) -> Bytes:
    """Return the bytes of the computer's memory that could be used; infinite if none tells."""
    lines = report.read_text().splitlines() if report.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(TOLD)), inf)


def ran_out(error: BaseException) -> bool:
    """Tell whether an error means that there was too little memory, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SHORTAGES)
