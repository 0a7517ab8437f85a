"""A table of pictures: the same workflow with other values, side by side."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from safelight.graph.node import Carries, Context, Help, Hidden, Label, Node, Output, Text
from safelight.graph.returns import Brought, Expansion
from safelight.graph.variation import Place, variations
from safelight.graph.wiring import Graph, Link
from safelight.library.pictures import as_pillow
from safelight.library.values import Image

GAP = 4  # pixels between pictures
PAPER, INK = (255, 255, 255), (32, 32, 32)
MOST_CELLS = 400

Values = Annotated[str, Text(multiline=True), Help("One on each line.")]


class XYGrid(Node):
    """Compare pictures: make the same one with other values, and lay them out as a table.

    Any value of any node that the picture is made by can be varied, along one direction or two.
    Everything runs in one job, and what two pictures share is made once.
    """

    category: ClassVar[str] = "image/compare"
    title: ClassVar[str] = "Table of variations"
    image: Annotated[
        Link, Carries(Image), Label("Picture"), Help("What is made again for each pair of values.")
    ]
    x_input: Annotated[str, Label("Across"), Help("The input to vary: NODE.INPUT, as 3.cfg.")]
    x_values: Annotated[Values, Label("Values across")]
    y_input: Annotated[str, Label("Down"), Help("Another one, or nothing.")] = ""
    y_values: Annotated[Values, Label("Values down")] = ""
    labels: Annotated[bool, Help("Write the values beside the pictures.")] = True
    graph: Annotated[Graph, Hidden("DYNPROMPT")]

    def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")] | Expansion:
        """Put one copy of what makes the picture in place for each cell."""
        across = _axis(self.graph, self.x_input, self.x_values)
        down = _axis(self.graph, self.y_input, self.y_values)
        if len(across) * len(down) > MOST_CELLS:
            raise ValueError(f"{len(across)} x {len(down)} pictures; at most {MOST_CELLS} will do")
        cells = [{**column, **row} for row in down for column in across]
        nodes, links = variations(self.graph, self.image, cells)
        names = [[_words(cell) for cell in axis] for axis in (across, down)]
        if not self.labels:
            names = [["" for _ in axis] for axis in names]

        def table(brought: Brought) -> Image:
            pictures = [_first(values) for values in brought]
            return Image(laid_out(pictures, names[0], names[1]))

        return Expansion(nodes, links, table)


def laid_out(pictures: Sequence[Tensor], across: Sequence[str], down: Sequence[str]) -> Tensor:
    """Return pictures [H, W, 3] as a table [1, H', W', 3], row by row, with words at its edges.

    A smaller picture stands in the middle of its cell.  Edges without words take no room.
    """
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    font = ImageFont.load_default(max(12, height // 20))
    line = 2 * max(12, height // 20)
    top = line if any(across) else 0
    left = max((round(font.getlength(word)) + line for word in down if word), default=0)
    size = (left + len(across) * (width + GAP) - GAP, top + len(down) * (height + GAP) - GAP)
    sheet = PillowImage.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, word in enumerate(across):
        x = left + column * (width + GAP) + width // 2
        pen.text((x, top // 2), word, INK, font, anchor="mm")
    for row, word in enumerate(down):
        y = top + row * (height + GAP) + height // 2
        pen.text((left // 2, y), word, INK, font, anchor="mm")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, len(across))
        x = left + column * (width + GAP) + (width - picture.shape[1]) // 2
        y = top + row * (height + GAP) + (height - picture.shape[0]) // 2
        sheet.paste(as_pillow(picture), (x, y))
    return torch.from_numpy(np.array(sheet)).float()[None] / 255


def _axis(graph: Graph, place: str, values: str) -> list[dict[Place, str]]:
    """Return the settings along one direction; without an input, the one of nothing."""
    if not place.strip():
        return [{}]
    lines = [line.strip() for line in values.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{place}: there are no values; write one on each line")
    found = Place.of(place, graph)
    return [{found: line} for line in lines]


def _words(setting: dict[Place, str]) -> str:
    return ", ".join(f"{place.input} = {value}" for place, value in setting.items())


def _first(values: Sequence[object]) -> Tensor:
    if not values or not isinstance(values[0], Image):
        raise ValueError("a picture of the table was not made")
    return values[0].pixels[0]
