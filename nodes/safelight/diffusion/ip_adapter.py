r"""IP-Adapter: a picture as a prompt, heard beside the words by the same attention.

One vector of CLIP's vision tower becomes a few vectors w of the prompt's width, and every
attention to the prompt gets a second pair of keys and values for them, the only weights that
were trained:

    w = norm(W vision(picture))                                     N vectors
    out = W_o ( attend(Q, K_text, V_text) + weight * attend(Q, K'_w, V'_w) )

The picture to keep away from (in guidance) is no picture at all: w of a vector of zeros.  The
"plus" kind hears every patch, through a `perceiver`; there nothing is what the vision tower
sees in a picture of zeros.

The vectors travel behind the prompt's tokens.  A network with an adapter is a `variant`: it
shares all else, and knows how many of the last tokens are the picture's.

Symbols: B batch, L tokens, N vectors of a picture, D width of the prompt, C channels, P width
of what CLIP sees.

Source: Ye et al. 2023 (arXiv:2308.06721), section 3.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion import perceiver
from safelight.diffusion.attention import Attention, attend
from safelight.diffusion.conditioning import Conditioning, Frame, Inputs, Listen
from safelight.diffusion.perceiver import Perceiver
from safelight.diffusion.unet import Block, UNet
from safelight.diffusion.variant import variant
from safelight.diffusion.weights import CheckpointError, assemble, open_checkpoint

PROJECT, NORM = "image_proj.proj.weight", "image_proj.norm.weight"
LATENTS, SAYS = "image_proj.latents", "image_proj."  # of the plus kind; of every kind
KEY, VALUE = "ip_adapter.{}.to_k_ip.weight", "ip_adapter.{}.to_v_ip.weight"


class AdapterMismatch(ValueError):
    """An adapter was made for another network, or for another vision tower."""


class PictureWords(nn.Module):
    """What CLIP saw, as a few vectors of a prompt."""

    def __init__(self, seen_width: int, width: int, count: int) -> None:
        super().__init__()
        self.count, self.seen_width = count, seen_width
        self.project = nn.Linear(seen_width, width * count)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Float[Tensor, "B P"]) -> Float[Tensor, "B N D"]:
        """Say what was seen."""
        return self.norm(self.project(seen).unflatten(1, (self.count, -1)))


class PictureAttention(nn.Module):
    """An attention to the prompt that also looks at the picture behind it."""

    def __init__(self, words: Attention, key: Tensor, value: Tensor, count: int) -> None:
        super().__init__()
        self.heads, self.count, self.weight = words.heads, count, 1.0
        self.query, self.key, self.value, self.out = words.query, words.key, words.value, words.out
        self.picture_key, self.picture_value = _matrix(key), _matrix(value)

    def forward(
        self, x: Float[Tensor, "B M C"], context: Float[Tensor, "B L D"]
    ) -> Float[Tensor, "B M C"]:
        """Listen to the words, look at the picture, add both."""
        words, picture = context[:, : -self.count], context[:, -self.count :]
        query = self.query(x)
        heard = attend(query, self.key(words), self.value(words), self.heads)
        seen = attend(query, self.picture_key(picture), self.picture_value(picture), self.heads)
        return self.out(heard + self.weight * seen)


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter's file: how pictures become vectors, and a pair of matrices per attention."""

    words: PictureWords | Perceiver
    pairs: Sequence[tuple[Tensor, Tensor]]  # key and value [C, D], each of its own sizes


def load_adapter(path: Path) -> Adapter:
    """Open an adapter in its authors' layout.

    Raises:
        CheckpointError: it cannot be opened, or is neither of the plain nor of the plus kind.
    """
    checkpoint = open_checkpoint(path)
    shapes, tensors = checkpoint.shapes, checkpoint.tensors
    plain = PROJECT in shapes and NORM in shapes
    if KEY.format(1) not in shapes or not (plain or LATENTS in shapes):
        kinds = "the plain kind, which has image_proj.proj, or plus, which has image_proj.latents"
        wish = f"want ip_adapter.1.to_k_ip and {kinds}"
        raise CheckpointError(path, f"it holds no IP-Adapter known here: {wish}")
    own = {name.removeprefix(SAYS): tensors[name] for name in shapes if name.startswith(SAYS)}
    numbers = sorted(int(name.split(".")[1]) for name in shapes if name.endswith("to_k_ip.weight"))
    try:
        words = _plain_words(own) if plain else _perceiver(own)
        pairs = [(tensors[KEY.format(i)], tensors[VALUE.format(i)]) for i in numbers]
    except (KeyError, ValueError) as error:
        raise CheckpointError(path, f"its tensors do not belong together: {error}") from error
    return Adapter(words, pairs)


def _plain_words(tensors: Mapping[str, Tensor]) -> PictureWords:
    """Build what turns one vector into words."""
    width, (outputs, seen) = len(tensors["norm.weight"]), tensors["proj.weight"].shape
    table = {"proj": "project", "norm": "norm"}
    return assemble(lambda: PictureWords(seen, width, outputs // width), tensors, table)


def _perceiver(tensors: Mapping[str, Tensor]) -> Perceiver:
    """Build what turns the vectors of patches into words."""
    config = perceiver.sizes({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    return assemble(lambda: Perceiver(config), tensors, perceiver.table(config))


def with_picture(network: UNet, adapter: Adapter, weight: float) -> UNet:
    """Return a U-Net that looks at a picture behind its prompt; see `seeing`.

    Raises:
        AdapterMismatch: the adapter is for a network of other sizes, or there is one already.
    """
    attentions = prompt_attentions(network)
    problems = _problems(attentions, adapter)
    if problems:
        raise AdapterMismatch(f"this IP-Adapter is for another model: {'; '.join(problems[:5])}")
    parts: dict[str, nn.Module | nn.Parameter] = {}
    for (path, words), (key, value) in zip(attentions.items(), adapter.pairs, strict=True):
        if not isinstance(words, Attention):
            raise AdapterMismatch("this model already looks at a picture; one is enough for it")
        part = PictureAttention(words, key, value, adapter.words.count)
        part.weight = weight
        parts[path] = part
    return variant(network, parts)


def seeing(listen: Listen, shown: Float[Tensor, "1 N D"], hidden: Float[Tensor, "1 N D"]) -> Listen:
    """Return what is heard with a picture behind it: `hidden` in what is not wanted."""

    def hear(conditioning: Conditioning, frame: Frame) -> Inputs:
        heard = listen(conditioning, frame)
        picture = (shown if frame.wanted else hidden).to(heard.tokens)
        behind = picture.expand(len(heard.tokens), -1, -1)
        # Counted: repeated prompts would hide where the words end.
        return replace(heard, tokens=torch.cat([heard.tokens, behind], dim=1), counted=True)

    return hear


def prompt_attentions(network: UNet) -> Mapping[str, Attention | PictureAttention]:
    """Return the attentions to the prompt by path, in the order in which files number them.

    Down, then up, then the middle: the order in which the first program listed its parts.
    """
    found: dict[str, Attention | PictureAttention] = {}
    for side in ("down", "up"):
        for level, holder in enumerate(getattr(network, side)):
            for number, block in enumerate(holder.blocks):
                assert isinstance(block, Block)
                found |= _of(block.transformer, f"{side}.{level}.blocks.{number}.transformer")
    return found | _of(network.middle.transformer, "middle.transformer")


def _of(transformer: nn.Module | None, path: str) -> dict[str, Attention | PictureAttention]:
    layers: Sequence[Any] = getattr(transformer, "layers", ())
    return {f"{path}.layers.{i}.to_prompt": layer.to_prompt for i, layer in enumerate(layers)}


def _problems(
    attentions: Mapping[str, Attention | PictureAttention], adapter: Adapter
) -> list[str]:
    """Tell how the matrices of an adapter differ from what a network wants."""
    if len(attentions) != len(adapter.pairs):
        return [f"it has {len(adapter.pairs)} pairs of matrices, the model {len(attentions)}"]
    return [
        f"{path} wants {list(words.key.weight.shape)}, it has {list(key.shape)}"
        for (path, words), (key, _) in zip(attentions.items(), adapter.pairs, strict=True)
        if key.shape != words.key.weight.shape
    ]


def _matrix(weight: Float[Tensor, "C D"]) -> nn.Linear:
    """Return a mapped tensor as a layer that adopts it."""
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer
