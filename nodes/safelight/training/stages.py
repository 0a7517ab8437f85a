"""What each stage of the training takes from the others, and leaves for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.dit import DiT
from safelight.diffusion.latent import SD1
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.unet import UNet
from safelight.diffusion.vae import AutoencoderKL
from safelight.training import (
    autoencoder,
    contrastive,
    controlnet,
    decoder,
    denoiser,
    dit,
    inversion,
    judge,
    judged,
    mmdit,
)
from safelight.training.autoencoder import AutoencoderStage, PolishStage
from safelight.training.captioned import read_examples
from safelight.training.contrastive import ContrastiveStage
from safelight.training.controlnet import ControlNetStage
from safelight.training.controlnet_own import OwnControlNetStage
from safelight.training.decoder import DecoderStage
from safelight.training.denoiser import DenoiserStage
from safelight.training.dit import DiTStage
from safelight.training.fold import fold_scale
from safelight.training.inversion import (
    InversionStage,
    Lesson,
    embedded_model,
    examine_snail,
)
from safelight.training.judge import JudgeStage
from safelight.training.loop import Run, load, load_average, save, train
from safelight.training.lora import PACE as LORA_PACE
from safelight.training.lora_lesson import lora_stage
from safelight.training.mmdit import MMDiTStage, draw_flow
from safelight.training.pictures import HELD_OUT, Captions, Pictures, different
from safelight.training.prompts import Model, draw_prompts
from safelight.training.sheet import save_sheet
from safelight.training.tokenizer import Words, build_tokenizer
from safelight.training.world import CONTACT_PROMPTS, SUBJECTS, vocabulary

SURVEYED = 2048  # pictures behind the mean and deviation of the latents
ENCODED_AT_ONCE = 32
SHEET_SEED = 1


@dataclass(frozen=True, slots=True)
class Work:
    """The folder where the stages meet."""

    folder: Path

    def of(self, stage: str) -> Path:
        """The folder of one stage."""
        return self.folder / stage

    @property
    def pictures(self) -> Path:
        """Where the drawn pictures are."""
        return self.of("pictures")

    @property
    def folded(self) -> Path:
        """The autoencoder whose latents times 0.18215 have unit deviation."""
        return self.of("latents") / "autoencoder.pt"

    def words(self) -> Words:
        """The tokenizer, made at the first call and kept: later stages rely on its ids."""
        path = self.folder / "tokenizer.json"
        if not path.exists():
            path.write_text(build_tokenizer([*vocabulary(), ",", "-"]), "utf-8")
        return Words(path.read_text("utf-8"))

    def latents(self) -> Float[Tensor, "N z h w"]:
        """The unscaled latents of all pictures, as the folded autoencoder gives them."""
        return torch.from_numpy(np.load(self.of("latents") / "latents.npy"))

    def autoencoder(self) -> AutoencoderKL:
        """The folded autoencoder, its decoder polished if that stage has run."""
        network = AutoencoderKL(autoencoder.CONFIG)
        network.load_state_dict(load(self.folded))
        polished = self.of("polish") / "state.pt"
        if polished.exists():
            load_average(polished, network)
        return network.eval()

    def text(self) -> TextEncoder:
        """The trained text tower."""
        stage = ContrastiveStage(self.latents()[:2], Captions([]), self.words())
        load_average(self.of("contrastive") / "state.pt", stage.network)
        return stage.network.text.eval()

    def unet(self) -> UNet:
        """The trained denoiser."""
        network = UNet(denoiser.CONFIG)
        load_average(self.of("denoiser") / "state.pt", network)
        return network.eval()


def train_autoencoder(work: Work, run: Run) -> None:
    """Train encoder and decoder on the pictures."""
    torch.manual_seed(run.seed)
    train(AutoencoderStage(Pictures.open(work.pictures)), autoencoder.PACE, run)


def train_contrastive(work: Work, run: Run) -> None:
    """Train the text tower on the latents."""
    torch.manual_seed(run.seed)
    captions, latents = Captions.open(work.pictures), work.latents() * SD1.scale
    held_out = range(len(latents) - HELD_OUT, len(latents))
    judged = different(held_out)[: contrastive.MEASURED]
    stage = ContrastiveStage(latents, captions, work.words(), judged)
    train(stage, contrastive.PACE, run)


def train_denoiser(work: Work, run: Run) -> None:
    """Train the U-Net on latents and captions."""
    torch.manual_seed(run.seed)
    words, text, vae = work.words(), work.text(), work.autoencoder()

    def show(unet: UNet, folder: Path) -> None:
        pictures = draw_prompts(Model(unet, text, vae, words), CONTACT_PROMPTS, SHEET_SEED)
        save_sheet(folder / "sheet.png", pictures, columns=5, captions=CONTACT_PROMPTS)

    latents = work.latents() * SD1.scale
    captions = Captions.open(work.pictures)
    train(DenoiserStage(latents, captions, text, words, show), denoiser.PACE, run)


def polish_decoder(work: Work, run: Run) -> None:
    """Train the decoder on, with the encoder as it is."""
    torch.manual_seed(run.seed)
    network = AutoencoderKL(autoencoder.CONFIG)
    network.load_state_dict(load(work.folded))
    stage = PolishStage(Pictures.open(work.pictures), work.latents(), network)
    train(stage, autoencoder.POLISH_PACE, run)


def train_decoder(work: Work, run: Run) -> None:
    """Train the tiny decoder for previews on latents and their pictures."""
    torch.manual_seed(run.seed)
    stage = DecoderStage(Pictures.open(work.pictures), work.latents() * SD1.scale)
    train(stage, decoder.PACE, run)


def train_judge(work: Work, run: Run) -> None:
    """Train the judge; it draws its own pictures, some through the embedded autoencoder."""
    numbers = range(judged.FIRST_KEPT, judged.FIRST_KEPT + judge.KEPT)
    kept = judged.through(embedded_model().autoencoder, numbers)
    torch.manual_seed(run.seed)
    train(JudgeStage(kept), judge.PACE, run)


def train_mmdit(work: Work, run: Run) -> None:
    """Train the transformer that hears words, by rectified flow on the same latents."""
    torch.manual_seed(run.seed)
    words, text, vae = work.words(), work.text(), work.autoencoder()

    def show(network: MMDiT, folder: Path) -> None:
        pictures = draw_flow(network, stage.reader, vae, CONTACT_PROMPTS, SHEET_SEED)
        save_sheet(folder / "sheet.png", pictures, columns=5, captions=CONTACT_PROMPTS)

    captions = Captions.open(work.pictures)
    stage = MMDiTStage(work.latents() * SD1.scale, captions, text, words, show)
    train(stage, mmdit.PACE, run)


def train_dit(work: Work, run: Run) -> None:
    """Train the transformer that knows each subject by a number: the smallest lesson."""
    torch.manual_seed(run.seed)
    latents, vae = work.latents(), work.autoencoder()
    numbers, labels = dit.labels_of(range(len(latents)))

    def show(network: DiT, folder: Path) -> None:
        drawn = dit.draw_labels(network, range(dit.ANY), SHEET_SEED)
        pictures = vae.decode(drawn / SD1.scale)
        save_sheet(folder / "sheet.png", pictures, columns=8, captions=SUBJECTS)

    stage = DiTStage(latents[numbers] * SD1.scale, torch.tensor(labels), show)
    train(stage, dit.PACE, run)


def train_inversion(work: Work, run: Run) -> None:
    """Train a new word for the held-out figure, with the embedded model as it is."""
    torch.manual_seed(run.seed)
    model, lesson = embedded_model(), Lesson.of_the_snail()
    train(InversionStage(model, lesson, examine=examine_snail), inversion.PACE, run)


def train_controlnet(work: Work, run: Run) -> None:
    """Train a ControlNet for edges, of the pictures in `controlnet/examples` if there are any."""
    torch.manual_seed(run.seed)
    own = run.folder / "examples"
    if own.is_dir():
        examples = read_examples(own, controlnet.SIZE_PX)
        train(OwnControlNetStage(embedded_model(), examples), controlnet.PACE, run)
        return
    pictures, captions = Pictures.open(work.pictures), Captions.open(work.pictures)
    latents = work.latents() * SD1.scale
    stage = ControlNetStage(embedded_model(), pictures, latents, captions)
    train(stage, controlnet.PACE, run)


def train_lora(work: Work, run: Run) -> None:
    """Train a LoRA of the held-out style, or of pictures in the folder `lora/examples`."""
    torch.manual_seed(run.seed)
    train(lora_stage(run.folder), LORA_PACE, run)


@torch.no_grad()
def encode_latents(work: Work, run: Run) -> None:
    """Fold the scale into the autoencoder and encode all pictures, each process its part."""
    pictures = Pictures.open(work.pictures)
    folded = _folded(work, pictures)
    total, (rank, processes) = len(pictures.pixels), _place()
    mine = range(total * rank // processes, total * (rank + 1) // processes)
    run.folder.mkdir(parents=True, exist_ok=True)
    np.save(run.folder / f"part-{rank}.npy", _encoded(folded, pictures, mine).numpy())
    if dist.is_initialized():
        dist.barrier()
    if rank == 0:
        if not work.folded.exists():
            save(work.folded, folded.state_dict())
        parts = [run.folder / f"part-{other}.npy" for other in range(processes)]
        np.save(run.folder / "latents.npy", np.concatenate([np.load(part) for part in parts]))
        for part in parts:
            part.unlink()


def _folded(work: Work, pictures: Pictures) -> AutoencoderKL:
    """The autoencoder with its scale folded in: as it was once, for others rely on it."""
    network = AutoencoderKL(autoencoder.CONFIG)
    if work.folded.exists():
        network.load_state_dict(load(work.folded))
        return network
    load_average(work.of("autoencoder") / "state.pt", network)
    survey = _encoded(network, pictures, range(SURVEYED)).float()
    return fold_scale(network, survey.mean((0, 2, 3)), survey.std((0, 2, 3)))


def _encoded(network: AutoencoderKL, pictures: Pictures, which: range) -> Float[Tensor, "N z h w"]:
    """The means of the latents of some pictures, in half precision."""
    means = []
    for start in which[::ENCODED_AT_ONCE]:
        chosen = torch.arange(start, min(start + ENCODED_AT_ONCE, which.stop))
        with torch.autocast("cpu", torch.bfloat16):
            means.append(network.encode(pictures.batch(chosen)).mean.half())
    return torch.cat(means)


def _place() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


STAGES: Final[Mapping[str, Callable[[Work, Run], None]]] = {
    "autoencoder": train_autoencoder,
    "latents": encode_latents,
    "contrastive": train_contrastive,
    "denoiser": train_denoiser,
    "polish": polish_decoder,
    "judge": train_judge,
    "decoder": train_decoder,
    "inversion": train_inversion,
    "lora": train_lora,
    "controlnet": train_controlnet,
    "mmdit": train_mmdit,
    "dit": train_dit,
}
"""The stages that train or use networks; each is called in every process."""
