"""IP-Adapter against diffusers, and what is refused."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.diffusion.networks import NARROW, randomised, unet
from tests.diffusion.peers import diffusers_unet, error
from torch import Tensor

from safelight.diffusion import perceiver
from safelight.diffusion.conditioning import Conditioning, Frame, hear_tokens
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.family_unet import UNET_1
from safelight.diffusion.guidance import guided
from safelight.diffusion.ip_adapter import (
    Adapter,
    AdapterMismatch,
    load_adapter,
    prompt_attentions,
    seeing,
    with_picture,
)
from safelight.diffusion.perceiver import Perceiver, PerceiverConfig
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

SEEN, COUNT = 24, 4
WIDTH = NARROW.unet.context_width


def file_of(folder: Path, count: int | None = None) -> tuple[Path, dict[str, Tensor]]:
    """An adapter with random weights for the narrow U-Net, or for so many of its attentions."""
    draw = torch.Generator().manual_seed(6)
    tensors = {
        "image_proj.proj.weight": torch.randn(COUNT * WIDTH, SEEN, generator=draw) * 0.3,
        "image_proj.proj.bias": torch.randn(COUNT * WIDTH, generator=draw) * 0.1,
        "image_proj.norm.weight": torch.rand(WIDTH, generator=draw) + 0.5,
        "image_proj.norm.bias": torch.randn(WIDTH, generator=draw) * 0.1,
    }
    for number, words in enumerate(list(prompt_attentions(unet(NARROW)).values())[:count]):
        size = words.key.weight.shape
        for name in ("to_k_ip", "to_v_ip"):
            weight = torch.randn(size, generator=draw) * 0.2
            tensors[f"ip_adapter.{2 * number + 1}.{name}.weight"] = weight
    path = folder / "adapter.safetensors"
    save_checkpoint(path, tensors, {})
    return path, tensors


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    """The adapter, loaded."""
    return load_adapter(file_of(tmp_path)[0])


@torch.no_grad()
def test_the_unet_sees_what_diffusers_sees(tmp_path: Path) -> None:
    """Same weights by the published names, same picture, same prompt: the same answer."""
    path, tensors = file_of(tmp_path)
    adapter, network = load_adapter(path), unet(NARROW)
    reference: Any = diffusers_unet(NARROW.unet, UNET_1.exported(network, NARROW.unet))
    halves = {
        half: {n.removeprefix(f"{half}."): t for n, t in tensors.items() if n.startswith(half)}
        for half in ("image_proj", "ip_adapter")
    }
    reference._load_ip_adapter_weights([halves])
    kind = import_module("diffusers.models.attention_processor").IPAdapterAttnProcessor2_0
    for processor in reference.attn_processors.values():
        if isinstance(processor, kind):
            processor.scale = [0.7]
    draw = torch.Generator().manual_seed(0)
    x, text = torch.randn(2, 4, 16, 16, generator=draw), torch.randn(2, 7, WIDTH, generator=draw)
    seen, time = torch.randn(2, SEEN, generator=draw), torch.tensor([3.0, 950.0])
    told = {"image_embeds": [seen[:, None]]}
    theirs = reference(x, time, text, added_cond_kwargs=told).sample
    context = torch.cat([text, adapter.words(seen)], dim=1)
    ours = with_picture(network, adapter, 0.7)(x, time, context)
    assert error(ours, theirs) < 1e-4
    assert error(network(x, time, text), theirs) > 1e-3


@torch.no_grad()
def test_the_plus_kind_says_what_diffusers_says(tmp_path: Path) -> None:
    """A perceiver by its authors' names, opened by both, and the U-Net that hears it."""
    config = PerceiverConfig(SEEN, WIDTH, COUNT, inner=128, hidden=512, depth=4, heads=2)
    asking = Perceiver(config)
    randomised(asking, 8)
    named = {f"image_proj.{n}": t for n, t in exported(asking, perceiver.table(config)).items()}
    _, plain = file_of(tmp_path)
    tensors = named | {n: t for n, t in plain.items() if n.startswith("ip_adapter")}
    path = tmp_path / "plus.safetensors"
    save_checkpoint(path, tensors, {})
    adapter, network = load_adapter(path), unet(NARROW)
    reference: Any = diffusers_unet(NARROW.unet, UNET_1.exported(network, NARROW.unet))
    halves = {
        half: {n.removeprefix(f"{half}."): t for n, t in tensors.items() if n.startswith(half)}
        for half in ("image_proj", "ip_adapter")
    }
    reference._load_ip_adapter_weights([halves])
    draw = torch.Generator().manual_seed(0)
    seen = torch.randn(2, 9, SEEN, generator=draw)
    theirs = reference.encoder_hid_proj([seen[:, None]])[0].squeeze(1)
    assert error(adapter.words(seen), theirs) < 1e-4
    x, text = torch.randn(2, 4, 16, 16, generator=draw), torch.randn(2, 7, WIDTH, generator=draw)
    time, told = torch.tensor([3.0, 950.0]), {"image_embeds": [seen[:, None]]}
    answer = reference(x, time, text, added_cond_kwargs=told).sample
    context = torch.cat([text, adapter.words(seen)], dim=1)
    assert error(with_picture(network, adapter, 1.0)(x, time, context), answer) < 1e-4


@torch.no_grad()
def test_the_network_itself_is_left_as_it_was(adapter: Adapter) -> None:
    """A weight of 0 gives its own answer; it shares its weights with the variant."""
    network = unet(NARROW)
    seeing_network = with_picture(network, adapter, 0.0)
    x, time = torch.randn(1, 4, 8, 8), torch.tensor([5.0])
    text, picture = torch.randn(1, 3, WIDTH), torch.randn(1, COUNT, WIDTH)
    blind = seeing_network(x, time, torch.cat([text, picture], dim=1))
    torch.testing.assert_close(blind, network(x, time, text))
    assert seeing_network.stem is network.stem


@torch.no_grad()
def test_guidance_keeps_away_from_no_picture(adapter: Adapter) -> None:
    """The wanted side sees the picture, the other does not; prompts may differ in length."""
    shown, hidden = adapter.words(torch.ones(1, SEEN)), adapter.words(torch.zeros(1, SEEN))
    network = with_picture(unet(NARROW), adapter, 1.0)
    listen = seeing(hear_tokens, shown, hidden)
    model = LatentModel(network, NoiseSchedule.of(scaled_linear()), "eps", listen=listen)
    words, nothing = Conditioning(torch.randn(1, 5, WIDTH)), Conditioning(torch.randn(1, 3, WIDTH))
    x, sigma = torch.randn(1, 4, 8, 8), torch.tensor(2.0)
    both = guided(model.told(words), model.told(nothing, wanted=False), 3.0)(x, sigma)
    plain = replace(model, listen=hear_tokens)

    def alone(said: Conditioning, picture: Tensor) -> Tensor:
        return plain.told(Conditioning(torch.cat([said.tokens, picture], dim=1)))(x, sigma)

    away = alone(nothing, hidden)
    expected = away + 3.0 * (alone(words, shown) - away)
    torch.testing.assert_close(both, expected, rtol=1e-4, atol=1e-4)
    heard = listen(words, Frame(8, 8, wanted=False))
    assert torch.equal(heard.tokens[:, 5:], hidden)


def test_an_adapter_for_another_network_is_refused(tmp_path: Path) -> None:
    """With both numbers; so is a second picture."""
    few = load_adapter(file_of(tmp_path, count=3)[0])
    with pytest.raises(AdapterMismatch, match="it has 3 pairs of matrices, the model 16"):
        with_picture(unet(NARROW), few, 1.0)
    whole = load_adapter(file_of(tmp_path)[0])
    narrow = [(key[:, :8], value[:, :8]) for key, value in whole.pairs]
    with pytest.raises(AdapterMismatch, match=r"to_prompt wants \[32, 64\], it has \[32, 8\]"):
        with_picture(unet(NARROW), replace(whole, pairs=narrow), 1.0)
    with pytest.raises(AdapterMismatch, match="this model already looks at a picture"):
        with_picture(with_picture(unet(NARROW), whole, 1.0), whole, 1.0)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The message says which kind is known."""
    save_checkpoint(tmp_path / "face.safetensors", {"image_proj.perceiver": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError, match=r"known here: want ip_adapter\.1\.to_k_ip and the"):
        load_adapter(tmp_path / "face.safetensors")
