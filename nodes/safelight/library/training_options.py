"""A node that says how models shall learn, where the usual way does not do."""

from typing import Annotated, ClassVar

from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range
from safelight.library.teaching import Options
from safelight.training.noised import LOSSES, Measure
from safelight.training.pupils import Way
from safelight.training.stepwise import OPTIMIZERS

Batch = Annotated[int, Range(1, 10_000, step=1), Help("Pictures looked at at once.")]
Parts = Annotated[
    int, Range(1, 1024, step=1), Label("Batches a step"), Help("As one larger batch would do.")
]
Optimizer = Annotated[str, Choice(tuple(OPTIMIZERS)), Help("How steps follow the slope.")]
Loss = Annotated[str, Choice(tuple(LOSSES)), Label("Loss"), Help("How errors are counted.")]
Format = Annotated[
    str, Choice(("bf16", "fp32")), Help("bf16 is half as large, and taken where it is fast.")
]
Frugal = Annotated[bool, Label("Save memory"), Help("Compute blocks twice and keep less of them.")]


class TrainingOptions(Node):
    """Say how a model shall learn, where the usual way does not do.

    Min-SNR 5 lets levels with little noise count less, which often learns faster. A noise
    offset of 0.05 to 0.1 lets very dark and very bright pictures be learnt. The running average
    is steadier than the last step: 0.99 forgets half in 70 steps.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Training options"
    batch_size: Batch = 1
    grad_accumulation_steps: Parts = 1
    optimizer: Optimizer = "AdamW"
    loss_function: Loss = "MSE"
    min_snr_gamma: Annotated[
        float, Range(0.0, 100.0, step=0.5), Label("Min-SNR"), Help("0: every level counts alike.")
    ] = 0.0
    noise_offset: Annotated[
        float, Range(0.0, 1.0, step=0.01), Help("How far whole channels are shifted.")
    ] = 0.0
    prior_weight: Annotated[
        float, Range(0.0, 10.0, step=0.05), Help("How much pictures count that shall stay.")
    ] = 1.0
    average: Annotated[
        float, Range(0.0, 0.9999, step=0.001), Label("Running average"), Help("0: none is kept.")
    ] = 0.0
    training_dtype: Annotated[Format, Label("Compute in")] = "bf16"
    gradient_checkpointing: Frugal = False

    def run(self, ctx: Context) -> Annotated[Options, Output("TRAINING_OPTIONS")]:
        """Put them together."""
        way = Way(
            Measure(self.loss_function, self.min_snr_gamma or None),
            self.noise_offset,
            self.prior_weight,
            self.gradient_checkpointing,
        )
        fast, parts = self.training_dtype == "bf16", self.grad_accumulation_steps
        return Options(way, self.batch_size, parts, self.optimizer, self.average, bfloat16=fast)
