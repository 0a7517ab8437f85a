r"""Training the judge: does a picture show what the prompt asked for?

A small network looks at a picture and says which subjects it sees, each with its colour,
what it wears and in which colour, and, of the whole, the setting, the style and how many
figures there are.  It learns from drawn pictures alone, whose truth is known, and sees
every combination, those that are held out from the generator too.

A picture of two figures must not be read as a mixture.  So each subject s has a map of
its own over the features f of the picture, which says where it is:

    h_s(p) = w_s . f(p)                              how much place p looks like s
    presence_s = log mean_p exp h_s(p)               somewhere, or nowhere
    a_s(p) = softmax_p h_s(p),  f_s = sum_p a_s(p) f(p)        looked at there
    colour, clothing and its colour = W mlp(f_s + e_s)

and all subjects share W: a green cat is read by who knows cats and who knows green.

The pictures of a generator come through an autoencoder.  The judge learns to overlook what
that does to them: each fresh picture is blurred, tinted in patches and dusted, by chance, and
a third of each batch are pictures that went through an autoencoder, drawn once and kept.

Symbols: B batch, S subjects, C channels of the features, p a place of the 8 x 8.

Source: ours; a map for each subject as in Zhou et al. 2016 (arXiv:1512.04150), the soft
maximum over places as in Pinheiro & Collobert 2015 (arXiv:1411.6228), section 3.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.training.judged import (
    FIRST_LEARNT,
    NUMBERS,
    UNSEEN,
    Answers,
    Kept,
    answers,
    judged_scene,
    spoilt,
    to_pictures,
)
from safelight.training.loop import Pace
from safelight.training.place import place_of
from safelight.training.world import CAST, COLOURS, GARMENTS, SETTINGS, STYLES

KEPT, KEPT_SHARE = 1536, 1 / 3  # pictures that went through an autoencoder; a batch's share
CELL_PX = 4  # pixels along a side of what the first layer takes at once
WIDTHS = (64, 96, 96)
MOST_FIGURES = 3

PACE = Pace(batch=64, muon=0.02, adamw=2e-3, decay=0.01, flat=0.5, average=0.99)
MEASURED = 512  # drawn pictures behind the figures, numbered from 0


class Verdict(NamedTuple):
    """What the judge sees, as scores: of each subject, and of the whole picture."""

    presence: Float[Tensor, "B S"]
    colour: Float[Tensor, "B S K"]
    clothing: Float[Tensor, "B S G"]
    clothing_colour: Float[Tensor, "B S K"]
    setting: Float[Tensor, "B P"]
    style: Float[Tensor, "B T"]
    figures: Float[Tensor, "B N"]


class Judge(nn.Module):
    """Picture of 128 x 128 pixels in -1..1 -> what it shows."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        subjects, self.own = len(CAST), [len(COLOURS), 1 + len(GARMENTS), len(COLOURS)]
        self.whole = [len(SETTINGS), len(STYLES), MOST_FIGURES]
        self.features = nn.Sequential(
            nn.PixelUnshuffle(CELL_PX),
            *_convolution(3 * CELL_PX**2, first),
            *_convolution(first, second, stride=2),
            Residual(second),
            *_convolution(second, third, stride=2),
            Residual(third),
            Residual(third),
        )
        self.where = nn.Conv2d(third, subjects, 1)
        self.identity = nn.Embedding(subjects, third)
        self.attributes = nn.Sequential(
            nn.Linear(third, third), nn.SiLU(), nn.Linear(third, sum(self.own))
        )
        self.scene = nn.Sequential(
            nn.Linear(third, third), nn.SiLU(), nn.Linear(third, sum(self.whole))
        )

    def forward(self, pictures: Float[Tensor, "B 3 H W"]) -> Verdict:
        """Look for every subject, and read what was found."""
        features = self.features(pictures).flatten(2)  # B C P
        heat = self.where(features[..., None]).squeeze(-1).float()  # B S P
        presence = heat.logsumexp(dim=-1) - math.log(heat.shape[-1])
        seen = heat.softmax(dim=-1) @ features.float().mT  # B S C
        colour, clothing, clothing_colour = torch.split(
            self.attributes(seen + self.identity.weight).float(), self.own, dim=-1
        )
        setting, style, figures = torch.split(
            self.scene(features.mean(dim=-1)).float(), self.whole, dim=-1
        )
        return Verdict(presence, colour, clothing, clothing_colour, setting, style, figures)


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels), *_convolution(channels, channels)
        )

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Refine."""
        return x + self.layers(x)


class JudgeStage:
    """The judge learns from pictures that are drawn as it goes, and from some that are kept."""

    name = "judge"

    def __init__(self, kept: Kept | None = None) -> None:
        self.network, self.kept = Judge(), kept

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Read `count` pictures: fresh ones, a little spoilt, and some of those that are kept."""
        known = 0 if self.kept is None else round(KEPT_SHARE * count)
        numbers = torch.randint(FIRST_LEARNT, NUMBERS, (count - known,), generator=draw).tolist()
        scenes = [judged_scene(number) for number in numbers]
        pictures = spoilt(to_pictures(scenes, numbers), draw)
        if self.kept is not None:
            old, shown = self.kept.choose(known, draw)
            pictures, scenes = torch.cat([pictures, old]), [*scenes, *shown]
        return judging_loss(self._verdict(pictures), answers(scenes))

    def report(self, folder: Path) -> dict[str, float]:
        """Read pictures that were never learnt from, and say how often that was right."""
        scenes = [judged_scene(number) for number in range(MEASURED)]
        rights: list[dict[str, Tensor]] = []
        for start in range(0, MEASURED, PACE.batch):
            part = scenes[start : start + PACE.batch]
            verdict = self._verdict(to_pictures(part, range(start, MEASURED)))
            rights.append(right(verdict, answers(part)))
        return {
            name: float(torch.cat([one[name] for one in rights]).float().mean())
            for name in rights[0]
        }

    def _verdict(self, pictures: Float[Tensor, "B 3 H W"]) -> Verdict:
        """Judge where the network lives; the few numbers of a verdict are compared here."""
        verdict: Verdict = self.network(pictures.to(place_of(self.network)))
        return Verdict(*(scores.cpu() for scores in verdict))


def judging_loss(verdict: Verdict, truth: Answers) -> Float[Tensor, ""]:
    """The sum of the crossentropies of all that is to be told."""
    there = _one_of_many(truth.subject, verdict.presence.shape[1])
    loss = 4 * F.binary_cross_entropy_with_logits(verdict.presence, there)
    slots = truth.subject.clamp(min=0)
    for name in ("colour", "clothing", "clothing_colour"):
        scores, wanted = of_subject(getattr(verdict, name), slots), getattr(truth, name)
        loss = loss + _crossentropy(scores.flatten(0, 1), wanted.flatten())
    for name in ("setting", "style", "figures"):
        loss = loss + _crossentropy(getattr(verdict, name), getattr(truth, name))
    return loss


def of_subject(scores: Float[Tensor, "B S K"], slots: Int[Tensor, "B A"]) -> Float[Tensor, "B A K"]:
    """What is said of some subjects, of all that is said."""
    return scores.gather(1, slots[..., None].expand(-1, -1, scores.shape[-1]))


def right(verdict: Verdict, truth: Answers) -> dict[str, Tensor]:
    """Where the judge is right: a truth value for each thing there was to be told."""
    asked = truth.subject != UNSEEN
    there = _one_of_many(truth.subject, verdict.presence.shape[1]).bool()
    found = _strongest(verdict.presence, asked.sum(dim=1))
    results = {"subjects": (found == there).all(dim=1)}
    slots = truth.subject.clamp(min=0)
    for name in ("colour", "clothing", "clothing_colour"):
        wanted = getattr(truth, name)
        read = of_subject(getattr(verdict, name), slots).argmax(dim=-1)
        results[name] = (read == wanted)[wanted != UNSEEN]
    for name in ("setting", "style", "figures"):
        results[name] = getattr(verdict, name).argmax(dim=-1) == getattr(truth, name)
    return results


def _strongest(presence: Float[Tensor, "B S"], counts: Int[Tensor, " B"]) -> Tensor:
    """Mark as many subjects of each picture as are said to be there, the clearest first."""
    ranks = presence.argsort(dim=1, descending=True).argsort(dim=1)
    return ranks < counts[:, None]


def _one_of_many(subjects: Int[Tensor, "B A"], many: int) -> Float[Tensor, "B S"]:
    marks = torch.zeros(len(subjects), many + 1)
    return marks.scatter_(1, subjects.where(subjects != UNSEEN, many), 1.0)[:, :many]


def _crossentropy(scores: Tensor, wanted: Tensor) -> Tensor:
    """The mean where there is anything to tell, else 0."""
    told = (wanted != UNSEEN).sum().clamp(min=1)
    return F.cross_entropy(scores, wanted, ignore_index=UNSEEN, reduction="sum") / told


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, stride, 1),
        nn.GroupNorm(8, channels_out),
        nn.SiLU(),
    ]
