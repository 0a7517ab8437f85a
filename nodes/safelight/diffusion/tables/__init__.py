"""Names of tensors in files -> names of our modules, generated over levels and blocks.

Each module here has a `table` for a config and `sizes` that reads the config from shapes.
"""

from safelight.diffusion.weights import Shapes


def side(shapes: Shapes, name: str, axis: int) -> int:
    """Return the length of one side of a tensor.

    Raises:
        KeyError: there is no such tensor.
        ValueError: it has no such side, or that side is empty.
    """
    shape = shapes[name]
    if len(shape) <= axis or shape[axis] < 1:
        raise ValueError(f"{name} has the shape {list(shape)}, which tells no size")
    return shape[axis]


def reach(shapes: Shapes, pattern: str) -> int:
    """Count how far the numbers that fill `{}` in a tensor's name go, from 0."""
    number = 0
    while pattern.format(number) in shapes:
        number += 1
    return number
