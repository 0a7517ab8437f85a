"""A U-Net step and a decoded picture, ours beside diffusers', with the same weights.

    python -m tests.benchmarks.peers --latent 64 --rounds 3

Stable Diffusion 1.5 at its real size with random weights; the U-Net answers the two halves of
guidance in one batch.  The columns take turns, so that whatever else the machine does falls on
all of them; a figure is the median of the rounds in CPU seconds of one thread, which depend
less on other programs than the clock does.  The error is the largest difference from diffusers
in float32, relative to the largest number.

Aims: at least 1.9 times as fast as diffusers as it comes (float32), and faster than it is at
its best (bfloat16, channels last).
"""

import argparse
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import diffusers_unet, diffusers_vae, error
from torch import Tensor, nn

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.families import sd1_single_file
from safelight.diffusion.memory import Placement, choose, resident
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig

CHANNELS, TOKENS = 4, 77
TINY_TEXT = TextConfig(vocabulary=300, width=32, layers=1, heads=2)  # the file must have one

Work = Callable[[Any, torch.dtype], Tensor]  # a network and its format -> its answer
Column = Callable[[], Tensor]


@contextmanager
def timed(seconds: list[float]) -> Generator[None]:
    """Add what the block costs to `seconds`."""
    began = time.process_time()
    yield
    seconds.append(time.process_time() - began)


def compare(what: str, columns: dict[str, Column], rounds: int) -> None:
    """Let the columns take turns; print cost, ratio to the first, and difference from it."""
    seconds: dict[str, list[float]] = {name: [] for name in columns}
    answers: dict[str, Tensor] = {}
    for turn in range(rounds + 1):  # the first turn warms up
        for name, work in columns.items():
            with timed(seconds[name] if turn else []):
                answers[name] = work().float()
    first = next(iter(columns))
    base = statistics.median(seconds[first])
    print(f"\n| {what} | CPU s | times as fast | error |\n| --- | --: | --: | --: |")
    for name in columns:
        cost = statistics.median(seconds[name])
        wrong = error(answers[name], answers[first])
        print(f"| {name} | {cost:.2f} | {base / cost:.2f} | {wrong:.1e} |", flush=True)


def columns_of(
    ours: nn.Module, work: Work, theirs: nn.Module, their_work: Work
) -> dict[str, Column]:
    """Return both programs as they come and at their best, in float32 and in bfloat16."""
    best = deepcopy(theirs).to(torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def placed(place: Placement) -> Column:
        def call() -> Tensor:
            with resident(ours, place) as ready:
                return work(ready, place.dtype)

        return call

    return {
        "diffusers, float32": lambda: their_work(theirs, torch.float32),
        "diffusers, bfloat16, channels last": lambda: their_work(best, torch.bfloat16),
        "Safelight, float32": placed(choose("cpu", "float32")),
        "Safelight, bfloat16": placed(choose("cpu", "bfloat16")),
    }


@torch.no_grad()
def main() -> None:
    """Read the command line, build everything, print two tables."""
    parser = argparse.ArgumentParser(description="Compare with diffusers.")
    parser.add_argument("--latent", type=int, default=64, help="side of the latent (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="after a first one (%(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    side: int = options.latent
    unet, vae = UNet(UNetConfig()), AutoencoderKL(VAEConfig())
    randomised(unet, 1)
    randomised(vae, 2)
    tensors = sd1_single_file(unet, TextEncoder(TINY_TEXT), vae)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, CHANNELS, side, side, generator=draw)
    heard = torch.randn(2, TOKENS, unet.config.context_width, generator=draw)
    level = torch.tensor([500.0, 500.0])
    steps = columns_of(
        unet,
        lambda network, dtype: network(x.to(dtype), level, heard.to(dtype)),
        diffusers_unet(unet.config, tensors),
        lambda network, dtype: network(x.to(dtype), level, heard.to(dtype)).sample,
    )
    compare(f"U-Net step with guidance, {8 * side} x {8 * side}", steps, options.rounds)
    decoded = columns_of(
        vae,
        lambda network, dtype: network.decode(x[:1].to(dtype)),
        diffusers_vae(vae.config, tensors),
        lambda network, dtype: network.decode(x[:1].to(dtype)).sample,
    )
    compare(f"decoded picture, {8 * side} x {8 * side}", decoded, options.rounds)


if __name__ == "__main__":
    main()
