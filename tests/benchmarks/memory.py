"""What a full-size model takes: seconds to open and to take a step, and memory at its peak.

    python -m tests.benchmarks.memory sdxl-base --precision bfloat16 --budget-gib 4
    python -m tests.benchmarks.memory --file MODEL.safetensors

A layout's name stands for a float16 file with the published names and shapes and random
numbers, written for the occasion by the tools that lie beside a developer's checkout.  A fresh
process then opens it, reads two prompts, takes steps with guidance and draws a picture.  Its
peak is what the system reports of all pages it had in memory at once, pages of the mapped file
among them.  With `--limit-gib` the process can have only so much address space beside the file,
so that what it asks for beyond fails.

Aims: file to mapped networks under 0.2 s for 2 GB; peak of a bfloat16 run at most twice the
file; SDXL takes a step at 512 x 512 within 12 GiB.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.families import Bundle, load_checkpoint
from safelight.diffusion.guidance import guided
from safelight.diffusion.memory import Placement
from safelight.diffusion.noise import initial

Result = TypeVar("Result")
ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT.parent / "shared"
GIB = 2**30


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Run `work`, print what it cost and what the process has come to, return its result."""
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{what:28} {seconds:8.3f} s  {cpu:8.3f} CPU s  peak {peak() / GIB:6.2f} GiB", flush=True)
    return result


def peak() -> int:
    """The most bytes that the process has had in memory (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def opened(path: Path) -> Bundle:
    """Map the file and assemble all networks."""
    bundle = load_checkpoint(path)
    _ = bundle.network, bundle.texts, bundle.vae
    return bundle


def prompts(bundle: Bundle, place: Placement) -> tuple[Conditioning, Conditioning]:
    """Read what is wanted and what is not."""
    wanted, unwanted = (bundle.texts.encode(text, place) for text in ("a cat in a hat", ""))
    return wanted, unwanted


def step(bundle: Bundle, place: Placement, told: tuple[Conditioning, Conditioning]) -> None:
    """Take one step with guidance; the weights are borrowed for it alone."""
    side = 64
    x = initial(0, (1, bundle.latent.channels, side, side))
    with memory.resident(bundle.network, place) as network:
        model = bundle.model(network)
        denoise = guided(model.told(told[0]), model.told(told[1]), 7.0)
        assert bool(denoise(x, torch.tensor(1.0)).isfinite().all())


def drawn(bundle: Bundle, place: Placement) -> Tensor:
    """Decode a latent of 64 x 64."""
    latent = memory.converted(initial(0, (1, bundle.latent.channels, 64, 64)), place)
    with memory.resident(bundle.vae, place) as vae:
        return vae.decode(latent)


def measure(options: argparse.Namespace) -> None:
    """Do all of it with one file."""
    size = options.file.stat().st_size
    if options.limit_gib:
        resource.setrlimit(resource.RLIMIT_AS, (int(options.limit_gib * GIB) + size,) * 2)
    torch.set_num_threads(options.threads)
    memory.limit(options.budget_gib * GIB)
    place = memory.choose("cpu", options.precision)
    print(
        f"{options.file.name}: {size / GIB:.2f} GiB; {place.dtype}, {options.threads} threads, "
        f"budget {options.budget_gib} GiB, limit {options.limit_gib} GiB beside the file"
    )
    timed("file to mapped networks", lambda: opened(options.file))
    bundle = timed("the same again", lambda: opened(options.file))
    told = timed("two prompts", lambda: prompts(bundle, place.for_text))
    for number in range(options.steps):
        timed(f"step {number + 1}, 512 x 512", lambda: step(bundle, place, told))
    timed("picture, 512 x 512", lambda: drawn(bundle, place.for_pictures))
    print(f"peak {peak() / GIB:.2f} GiB, {peak() / size:.2f} times the file")


def written(layout: str, folder: Path) -> Path:
    """Write a random file of a published layout."""
    path = folder / f"{layout}.safetensors"
    maker, shapes = TOOLS / "tools" / "make_checkpoint.py", TOOLS / "reference" / "layouts"
    subprocess.run([sys.executable, maker, shapes / f"{layout}.json", path], check=True)
    return path


def main() -> None:
    """Read the command line, write the file if there is none, measure in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", nargs="?", default="sdxl-base", help="such as sd15, sdxl-base")
    parser.add_argument("--file", type=Path, help="a file to measure instead")
    parser.add_argument("--folder", type=Path, help="where to write a layout's file")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--budget-gib", type=float, default=inf)
    parser.add_argument("--limit-gib", type=float, default=0)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.file:
        measure(options)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = written(options.layout, Path(folder))
        again = [sys.executable, "-m", "tests.benchmarks.memory", *sys.argv[1:]]
        subprocess.run([*again, "--file", file], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
