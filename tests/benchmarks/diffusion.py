"""What a file costs to open and a picture to develop, in CPU seconds.

Run `python tests/benchmarks/diffusion.py FILE.safetensors`.  CPU seconds of one thread
depend less on what else the machine does than the clock does.
Aims, for Stable Diffusion 1.5: file to mapped networks under 0.2 s.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from safelight.diffusion.families import Bundle, load_checkpoint
from safelight.diffusion.memory import Placement, choose, resident
from safelight.diffusion.noise import initial
from safelight.diffusion.tokens import encode_prompt

Result = TypeVar("Result")
STEPS = 3


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Run `work`, print what it cost, return its result."""
    began = time.process_time()
    result = work()
    print(f"{what:40} {time.process_time() - began:8.3f} s")
    return result


def opened(path: Path) -> Bundle:
    """Map the file and assemble all three networks."""
    bundle = load_checkpoint(path)
    for network in (bundle.unet, bundle.text_encoder, bundle.vae):
        network.eval()
    return bundle


def borrowed(network: nn.Module, place: Placement) -> None:
    """Borrow a network and give it back: the first time costs its conversion."""
    with resident(network, place):
        pass


def developed(bundle: Bundle, side_px: int, place: Placement) -> None:
    """Time the parts of a picture, conversion of the weights apart."""
    with resident(bundle.text_encoder, place.for_text) as text:
        prompt = timed("prompt", lambda: encode_prompt(text, bundle.tokenizer, "a cat in a hat"))
    factor = bundle.latent.downscale
    x = initial(0, (2, bundle.latent.channels, side_px // factor, side_px // factor))
    timed("U-Net to its format", lambda: borrowed(bundle.unet, place))
    with resident(bundle.unet, place) as unet:
        denoise = bundle.model(unet).told(prompt)
        for step in range(STEPS):
            timed(f"step {step + 1}, batch of 2", lambda: denoise(x, torch.tensor(1.0)))
    pictures = place.for_pictures
    with resident(bundle.vae, pictures) as vae:
        latent = bundle.latent.to_autoencoder(x[:1]).to(pictures.dtype)
        timed("decode", lambda: vae.decode(latent))


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--side-px", type=int, default=256)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    place = choose("cpu", options.precision)
    torch.set_num_threads(options.threads)
    print(f"{options.file.name}, {options.side_px} px, {place.dtype}, {options.threads} thread(s)")
    timed("file to mapped networks, first", lambda: opened(options.file))
    bundle = timed("file to mapped networks, again", lambda: opened(options.file))
    developed(bundle, options.side_px, place)


if __name__ == "__main__":
    main()
