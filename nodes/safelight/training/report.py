"""The report on a model: does it draw what it is asked for?

Every question of the exam is drawn once, with settings chosen beforehand, and marked by the
judge.  So are the same scenes as the drawn world draws them, and these once more through the
model's autoencoder: the first tells how far the judge itself can be trusted, the second what
the latents lose.  Nothing is drawn twice or chosen afterwards.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.families import Bundle, load_checkpoint
from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.walk import Walk, develop
from safelight.diffusion.weights import open_checkpoint, save_checkpoint
from safelight.training.exam import ROWS, Marks, Question, Share, each, marks, questions, tally
from safelight.training.judge import Judge, Verdict
from safelight.training.judged import SIZE_PX, to_pictures
from safelight.training.progress import Meter
from safelight.training.sheet import save_sheet

STEPS, GUIDANCE, SAMPLER, SCHEDULER = 20, 4.0, "dpmpp_2m", "normal"
AT_ONCE = 25  # pictures
COUNT: Final = 500  # questions of a full report
SHOWN, COLUMNS = 50, 10  # the first answers, on a contact sheet
BEGIN, END = "<!-- judge: begin -->", "<!-- judge: end -->"
FIRST_SEED: Final = 1


@dataclass(frozen=True)
class Report:
    """The shares of right answers: of the model, of the drawn world, and of it encoded."""

    model: Mapping[str, Share]
    drawn: Mapping[str, Share]
    encoded: Mapping[str, Share]
    count: int

    def target(self, row: str) -> float | None:
        """What the model should reach in a row, if anything."""
        wanted, other = ROWS[row].target, ROWS[row].below
        if wanted is None or other is None:
            return wanted
        return self.model[other].value - wanted

    def markdown(self) -> str:
        """The table of the model card."""
        lines = [
            f"{self.count} prompts that no stage learnt from, each drawn once: {STEPS} steps of "
            f"`{SAMPLER}` on the `{SCHEDULER}` schedule, guidance {GUIDANCE:g}, "
            f"{SIZE_PX} x {SIZE_PX} pixels.",
            "",
            "| what the prompt names | prompts | model | wanted "
            "| drawn world | drawn world, encoded and decoded |",
            "| --- | --: | --: | --: | --: | --: |",
        ]
        return "\n".join([*lines, *(self._line(row) for row in ROWS if self.model[row].total)])

    def _line(self, row: str) -> str:
        target = self.target(row)
        wanted = "" if target is None else _percent(target)
        shares = [_percent(part[row].value) for part in (self.model, self.drawn, self.encoded)]
        total = self.model[row].total
        return (
            f"| {ROWS[row].name} | {total} | {shares[0]} | {wanted} | {shares[1]} | {shares[2]} |"
        )


def report(checkpoint: Path, judge: Path, count: int = COUNT, sheet: Path | None = None) -> Report:
    """Examine a checkpoint on this machine; show the first answers on a contact sheet.

    Raises:
        CheckpointError: one of the files cannot be used.
    """
    asked = questions(count)
    result, pictures = examine(
        load_checkpoint(checkpoint), open_judge(judge), asked, memory.choose()
    )
    if sheet is not None:
        prompts = [question.prompt for question in asked[:SHOWN]]
        save_sheet(sheet, pictures[:SHOWN], COLUMNS, prompts, light=True)
    return result


def examine(
    bundle: Bundle, judge: Judge, questions: Sequence[Question], place: Placement
) -> tuple[Report, Float[Tensor, "N 3 H W"]]:
    """Draw and mark the answers to all `questions`; return the pictures too."""
    answered: list[Tensor] = []
    marked: tuple[list[Marks], list[Marks], list[Marks]] = ([], [], [])
    meter, began = Meter("report"), time.monotonic()
    for start in range(0, len(questions), AT_ONCE):
        part = questions[start : start + AT_ONCE]
        prompts = [question.prompt for question in part]
        pictures = draw(bundle, prompts, FIRST_SEED + start, place)
        drawn = to_pictures([q.scene for q in part], [q.number for q in part])
        answered.append(pictures)
        versions = (pictures, drawn, _through(bundle, drawn, place))
        for rows, version in zip(marked, versions, strict=True):
            verdicts = each(_judged(judge, version))
            rows += [marks(q, verdict) for q, verdict in zip(part, verdicts, strict=True)]
        done = (start + len(part)) / len(questions)
        meter.show(done, time.monotonic() - began, {"prompts": start + len(part)})
    model, drawn_world, encoded = (tally(rows) for rows in marked)
    return Report(model, drawn_world, encoded, len(questions)), torch.cat(answered)


def draw(
    bundle: Bundle, prompts: Sequence[str], seed: int, place: Placement
) -> Float[Tensor, "B 3 H W"]:
    """Draw each prompt once, all from one `seed`, with the settings of the report; in -1..1."""
    side = SIZE_PX // bundle.latent.downscale
    latent = torch.zeros(len(prompts), bundle.latent.channels, side, side)
    walk = Walk(seed, STEPS, GUIDANCE, SAMPLER, SCHEDULER)
    told, untold = _told(bundle, prompts, place), _told(bundle, [""], place)
    with resident(bundle.network, place) as network:
        model = bundle.model(network)
        for step in develop(model, told, untold, memory.moved(latent, place), walk):
            latent = step.x
    with resident(bundle.vae, place.for_pictures) as vae:
        raw = memory.converted(bundle.latent.to_autoencoder(latent), place.for_pictures)
        return vae.decode(raw).float().cpu()


def _told(bundle: Bundle, prompts: Sequence[str], place: Placement) -> Conditioning:
    """What the model is told of several prompts, as one batch."""
    said = [bundle.texts.encode(prompt, place.for_text) for prompt in prompts]
    pooled = [one.pooled for one in said if one.pooled is not None]
    tokens = torch.cat([one.tokens for one in said])
    return Conditioning(tokens, torch.cat(pooled) if pooled else None)


def _through(
    bundle: Bundle, pictures: Float[Tensor, "B 3 H W"], place: Placement
) -> Float[Tensor, "B 3 H W"]:
    """Encode and decode pictures."""
    with resident(bundle.vae, place.for_pictures) as vae:
        latent = vae.encode(memory.converted(pictures, place.for_pictures)).mean
        return vae.decode(latent).float().cpu()


@torch.no_grad()
def _judged(judge: Judge, pictures: Float[Tensor, "B 3 H W"]) -> Verdict:
    return judge(pictures.clamp(-1, 1))


def save_judge(path: Path, judge: Judge, about: Mapping[str, str]) -> None:
    """Write a judge in half precision."""
    tensors = {name: tensor.half() for name, tensor in judge.state_dict().items()}
    save_checkpoint(path, tensors, about)


def open_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote.

    Raises:
        CheckpointError: there is no such file, or it is damaged.
    """
    checkpoint, judge = open_checkpoint(path), Judge()
    judge.load_state_dict({name: tensor.float() for name, tensor in checkpoint.tensors.items()})
    return judge.eval()


def write_into(card: Path, table: str) -> None:
    """Put a table between the marks in a model card, in the place of the one before.

    Raises:
        ValueError: the card has no such marks.
    """
    text = card.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{card} has no place for the report: put {BEGIN} and {END} into it")
    card.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}", "utf-8")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
