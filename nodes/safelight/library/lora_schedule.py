"""A node for LoRAs whose strength changes along the walk."""

from typing import Annotated, ClassVar, Literal

from safelight.diffusion.lora_file import open_lora
from safelight.diffusion.lora_names import TEXT
from safelight.diffusion.lora_schedule import Scheduled, strengths
from safelight.graph.node import Context, Help, Label, Node, Text
from safelight.graph.returns import Showing
from safelight.library.lora import LoraName, Taught, applied, fitted, notes, strays
from safelight.library.values import Model


class LoraSchedule(Node):
    """Teach a model something for a part of the walk, or more and more, or less and less.

    Each line is a share of the walk and the strength there: `0 1` and `0.6 0` begin in full
    and fade out before the details are drawn. Early on a LoRA changes what is shown and where,
    later how it is drawn. The same strength all along is what Load LoRA does.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load LoRA along the walk"
    model: Model
    lora_name: LoraName
    strengths: Annotated[
        str, Text(multiline=True), Help("Lines of a share of the walk and a strength.")
    ] = "0 1\n1 0"
    between: Annotated[
        Literal["line", "step"], Label("In between"), Help("Slide from one to the next, or jump.")
    ] = "line"

    def run(self, ctx: Context) -> Showing[Taught]:
        """Let the weights move along; show what was not used."""
        course = strengths(self.strengths, self.between)
        file = open_lora(ctx.folders.resolve("loras", self.lora_name))
        taught = fitted(file, self.model)
        told = notes(strays(file, [taught], self.model.family, heard=TEXT), self.model.family)
        if course.constant is not None:
            return Showing(applied(self.model, taught, course.constant), told)
        schedule = self.model.denoiser.schedule
        return Showing(self.model.changed(Scheduled(taught.edits, course, schedule)), told)
