"""Networks that enlarge are read in all their dialects and do what their papers say."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from safelight.diffusion.tables.esrgan import compact_table, dialect
from safelight.diffusion.upscaler import (
    CompactConfig,
    CompactNet,
    RRDBConfig,
    RRDBNet,
    Upscaler,
    load_upscaler,
)
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

FIRST_TENSORS = {
    "old": "model.1.sub.{}.RDB1.conv1.0.weight",
    "middle": "RRDB_trunk.{}.RDB1.conv1.weight",
    "new": "body.{}.rdb1.conv1.weight",
}
UPS = {"old": "model.{}.weight", "middle": "upconv{}.weight", "new": "conv_up{}.weight"}


def made(network: Upscaler) -> Upscaler:
    """Give a network random weights."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.requires_grad_(False).eval()


def names(kind: str, config: RRDBConfig) -> dict[str, str]:
    """Return the file's names of a dialect -> ours."""
    shapes = {FIRST_TENSORS[kind].format(i): (1,) for i in range(config.blocks)}
    for i in range(config.doublings):
        shapes[UPS[kind].format(3 + 3 * i if kind == "old" else i + 1)] = (1,)
    found = dialect(shapes)
    assert found is not None
    return {theirs: ours for ours, theirs in found.items()}


@pytest.mark.parametrize("kind", ["old", "middle", "new"])
@pytest.mark.parametrize("doublings", [0, 1, 2])
def test_every_dialect_of_rrdbnet_is_read(kind: str, doublings: int, tmp_path: Path) -> None:
    """Sizes come from the shapes; the picture is the same."""
    config = RRDBConfig(width=8, growth=4, blocks=2, doublings=doublings)
    network = made(RRDBNet(config))
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, exported(network, names(kind, config)), {})
    again = load_upscaler(path)
    assert again.config == config
    x = torch.rand(1, 3, 5, 7)
    assert torch.equal(again(x), network(x))
    assert again(x).shape == (1, 3, 5 * 2**doublings, 7 * 2**doublings)


def test_a_network_that_sees_four_pixels_as_one_enlarges_less(tmp_path: Path) -> None:
    """Also where a side of the picture does not divide."""
    config = RRDBConfig(width=8, growth=4, blocks=1, unshuffle=2)
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, exported(made(RRDBNet(config)), names("new", config)), {})
    network = load_upscaler(path)
    assert network.scale == 2
    assert network(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)


def test_rrdbnet_is_its_formula() -> None:
    """Written once more, flat, from the paper."""
    network = made(RRDBNet(RRDBConfig(width=4, growth=2, blocks=1, doublings=1)))
    w = network.state_dict()

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def bent(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    x = torch.rand(1, 3, 4, 4)
    f = h = conv("first", x)
    for j in range(3):
        parts = [h]
        for k in range(4):
            parts.append(bent(conv(f"blocks.0.dense.{j}.convs.{k}", torch.cat(parts, 1))))
        h = h + 0.2 * conv(f"blocks.0.dense.{j}.convs.4", torch.cat(parts, 1))
    f = f + conv("trunk", f + 0.2 * h)
    f = bent(conv("up.0", f.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    torch.testing.assert_close(network(x), conv("last", bent(conv("refine", f))))


def test_a_compact_network_is_read_and_adds_to_the_picture(tmp_path: Path) -> None:
    """With a last convolution of zeros nothing is added."""
    config = CompactConfig(width=6, convolutions=4, scale=3)
    network = CompactNet(config)
    made(network)
    for name in ("weight", "bias"):
        network.get_parameter(f"convs.3.{name}").zero_()
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, exported(network, compact_table(4)), {})
    again = load_upscaler(path)
    assert again.config == config
    x = torch.rand(1, 3, 4, 5)
    torch.testing.assert_close(again(x), x.repeat_interleave(3, 2).repeat_interleave(3, 3))


def test_another_file_is_refused(tmp_path: Path) -> None:
    """The message names the file and what is known."""
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"x": torch.zeros(1)}, {})
    with pytest.raises(
        CheckpointError,
        match=r"it holds no network that enlarges known here \(ESRGAN's RRDBNet, compact\)$",
    ):
        load_upscaler(path)
