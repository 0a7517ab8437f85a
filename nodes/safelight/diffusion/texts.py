r"""Texts: one prompt, read by as many text encoders as a family has.

    prompt -> each tower: ids -> vectors -> Encoded
    {tower: Encoded} -> join -> Conditioning

A tower is a text encoder with its tokenizer and its family's habits.  What the towers
heard is joined by a function that the family's row names, so that nodes need not know how
many there are.

Symbols: L tokens, D token width, P pooled width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.prompt import mentions, stem
from safelight.diffusion.textual_inversion import Embedding, fitted
from safelight.diffusion.tokenizer import Tokenizer
from safelight.diffusion.tokens import Encoded, Reading, encode

Join = Callable[[Mapping[str, Encoded]], Conditioning]


class TextsError(ValueError):
    """A prompt cannot be read: the model came without the text encoders it needs."""


@runtime_checkable
class Tower(Protocol):
    """A text encoder that knows how its family reads a prompt."""

    @property
    def network(self) -> nn.Module:
        """The network, for whoever places or patches it."""
        ...

    def encode(self, network: Any, prompt: str) -> Encoded:
        """Read a prompt with `network`, which is `self.network` or a copy of it."""
        ...

    def skipping(self, layers: int) -> "Tower":
        """Return the tower without its last `layers` layers ("CLIP skip")."""
        ...

    @property
    def word_width(self) -> int | None:
        """The width of its words, if it can be taught new ones."""
        ...

    def knowing(self, words: Mapping[str, Tensor]) -> "Tower":
        """Return the tower with new words, rows [N, D] by name."""
        ...

    def around(self, network: Any) -> "Tower":
        """Return the tower with another network, a variant of its own."""
        ...


@dataclass(frozen=True, eq=False)
class ClipTower:
    """One of CLIP's text towers."""

    network: TextEncoder
    tokenizer: Tokenizer
    reading: Reading = field(default_factory=Reading)
    words: Mapping[str, Tensor] = field(default_factory=dict)  # learnt ones: rows by name

    def encode(self, network: TextEncoder, prompt: str) -> Encoded:
        """Read a prompt in chunks of 77 tokens, weights applied."""
        return encode(network, self.tokenizer, prompt, self.reading, self.words)

    @property
    def word_width(self) -> int:
        """The width of the encoder's own words."""
        return self.network.config.width

    def knowing(self, words: Mapping[str, Tensor]) -> "ClipTower":
        """Let prompts mention new words."""
        return replace(self, words=words)

    def around(self, network: TextEncoder) -> "ClipTower":
        """Read with another network."""
        return replace(self, network=network)

    def skipping(self, layers: int) -> "ClipTower":
        """Leave out exactly that many layers, whatever the family's habit is."""
        return replace(self, reading=replace(self.reading, skip_last=layers))


@dataclass(frozen=True, eq=False)
class Texts:
    """The text encoders of a model; `lacking` names those that its file should have had."""

    towers: Mapping[str, Tower]
    join: Join
    lacking: str = ""
    # Learnt words by the name that `embedding:name` has in a prompt; looked up when mentioned.
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)

    def encode(self, prompt: str | Mapping[str, str], place: Placement) -> Conditioning:
        """Read a prompt, the same with every tower or one for each by its name.

        Raises:
            TextsError: a text encoder is missing, or the prompt mentions unknown embeddings.
            ValueError: more layers are skipped than a tower has, or an embedding fits none.
        """
        if self.lacking:
            raise TextsError(self.lacking)
        texts = dict.fromkeys(self.towers, prompt) if isinstance(prompt, str) else prompt
        heard: dict[str, Encoded] = {}
        for name, tower in self._taught(texts).items():
            text = texts[name]
            with resident(tower.network, place) as network:
                heard[name] = tower.encode(network, text)
        return self.join(heard)

    def _taught(self, texts: Mapping[str, str]) -> Mapping[str, Tower]:
        """Return the towers with the learnt words that their texts mention."""
        said = {stem(name) for name in self.towers for name in mentions(texts[name])}
        if not said:
            return self.towers
        unknown = sorted(name for name in said if name not in self.embeddings)
        if unknown:
            known = ", ".join(sorted(self.embeddings)) or "none"
            raise TextsError(
                f"the prompt mentions embeddings that are not there: {', '.join(unknown)} "
                f"(there are: {known})"
            )
        widths = {n: t.word_width for n, t in self.towers.items() if t.word_width is not None}
        words = fitted({name: self.embeddings[name] for name in sorted(said)}, widths)
        return {n: t.knowing(words[n]) if n in words else t for n, t in self.towers.items()}

    def skipping(self, layers: int) -> "Texts":
        """Return the same towers without their last `layers` layers."""
        towers = {name: tower.skipping(layers) for name, tower in self.towers.items()}
        return replace(self, towers=towers)

    def around(self, networks: Mapping[str, nn.Module]) -> "Texts":
        """Return the same towers, those that are named with other networks."""
        towers = {n: t.around(networks[n]) if n in networks else t for n, t in self.towers.items()}
        return replace(self, towers=towers)


def alone(heard: Mapping[str, Encoded]) -> Conditioning:
    """Join for families with one tower: what it heard, as it is."""
    (encoded,) = heard.values()
    return Conditioning(encoded.tokens)
