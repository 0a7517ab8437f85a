import gc
import re
import weakref
from pathlib import Path

import pytest
import torch
from tests.diffusion.networks import SMALL, text_encoder
from torch import nn

from safelight.diffusion.memory import (
    Placement,
    choose,
    cpu_has_bfloat16,
    lies_in_file,
    resident,
)

CPU = torch.device("cpu")


def half_network() -> nn.Module:
    """A network with float16 weights, as files have them, and a buffer of whole numbers."""
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).half().requires_grad_(False)
    network.register_buffer("count", torch.tensor([3]))
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_resident_network_computes_in_the_format_asked_for(dtype: torch.dtype) -> None:
    """Weights are converted once; whole numbers stay; the network itself is left alone."""
    network = half_network()
    with resident(network, Placement(CPU, dtype)) as placed:
        assert placed(torch.ones(1, 4, dtype=dtype)).dtype == dtype
        assert placed.get_buffer("count").dtype == torch.int64
    assert network.get_parameter("0.weight").dtype == torch.float16
    expected = network.get_parameter("0.weight").to(dtype)
    torch.testing.assert_close(placed.get_parameter("0.weight"), expected, rtol=0, atol=0)


def test_the_copy_is_made_once() -> None:
    """Borrowing again lends the same network."""
    network, placement = half_network(), Placement(CPU, torch.float32)
    with resident(network, placement) as first, resident(network, placement) as second:
        assert first is second


def test_a_file_is_let_go_of_once_it_is_copied() -> None:
    """At the first use and not before; a second use copies nothing."""
    network, placement = half_network(), Placement(CPU, torch.float32)
    calls: list[str] = []
    lies_in_file(network, lambda: calls.append("let go"))
    assert calls == []
    for _ in range(2):
        with resident(network, placement):
            assert calls == ["let go"]


def test_a_network_already_there_is_lent_as_it_is() -> None:
    """No copy of what fits."""
    network = half_network().float()
    with resident(network, Placement(CPU, torch.float32)) as placed:
        assert placed is network


def test_a_lent_network_records_no_gradients() -> None:
    """Inside the block nothing is recorded, outside it is; what comes out may be written to."""
    with resident(half_network(), Placement(CPU, torch.float32)) as placed:
        answer = placed(torch.ones(1, 4, requires_grad=True))
    assert not answer.requires_grad
    assert torch.is_grad_enabled()
    answer.add_(1)


def test_a_dropped_network_frees_its_copies() -> None:
    """Nothing but the network keeps its copies alive."""
    network = half_network()
    with resident(network, Placement(CPU, torch.float32)) as placed:
        copy = weakref.ref(placed)
    del network, placed
    gc.collect()
    assert copy() is None


def test_shared_weights_stay_shared() -> None:
    """A tensor that two layers own is converted once and owned by both again."""
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    with resident(network.half(), Placement(CPU, torch.float32)) as placed:
        assert placed[1].weight is placed[0].weight


@torch.no_grad()
def test_bfloat16_answers_stay_close_to_float32() -> None:
    """Norms and softmax accumulate in float32 inside: the answer keeps two digits."""
    encoder, ids = text_encoder(SMALL), torch.arange(40)[None]
    with resident(encoder, Placement(CPU, torch.bfloat16)) as placed:
        error = (placed(ids).float() - encoder(ids)).norm() / encoder(ids).norm()
    assert float(error) < 0.03


def test_names_resolve_to_formats() -> None:
    """What is asked for is what is chosen."""
    assert choose("cpu", "float32") == Placement(CPU, torch.float32)
    assert choose("cpu", "float16") == Placement(CPU, torch.float16)


def test_auto_takes_bfloat16_only_where_it_is_native() -> None:
    """On a CPU "auto" follows the processor."""
    expected = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
    assert choose("cpu", "auto").dtype == expected


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("flags : fpu avx512f avx512_bf16 sse", True),
        ("flags : fpu amx_bf16", True),
        ("flags : fpu avx2 avx512f", False),
        ("Features : fp asimd", False),
    ],
)
def test_native_bfloat16_is_read_from_the_processor_s_abilities(
    flags: str, native: bool, tmp_path: Path
) -> None:
    """As Linux lists them."""
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert cpu_has_bfloat16(tmp_path / "cpuinfo") is native


def test_without_linux_torch_is_asked(tmp_path: Path) -> None:
    """A system without that list answers with a plain yes or no."""
    assert cpu_has_bfloat16(tmp_path / "none") in (True, False)


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("tpu", "auto", "no device 'tpu'; there are auto, cpu, cuda"),
        ("cpu", "int8", "no precision 'int8'; there are auto, float32, bfloat16, float16"),
    ],
)
def test_unknown_names_are_refused(device: str, precision: str, message: str) -> None:
    """The message names what there is."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        choose(device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what is refused here")
def test_a_device_that_is_not_there_is_refused() -> None:
    """CUDA asked for by name and absent."""
    with pytest.raises(ValueError, match=r"^device 'cuda' was asked for, but torch sees no CUDA"):
        choose("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_is_half_precision_on_cuda() -> None:
    """A GPU, where there is one, in float16; the autoencoder in float32."""
    placement = choose()
    assert (placement.device.type, placement.dtype) == ("cuda", torch.float16)
    with resident(text_encoder(SMALL), placement) as placed:
        assert placed.token.weight.device.type == "cuda"


def test_each_network_has_the_format_that_suits_it() -> None:
    """Text is exact on a CPU; the autoencoder never computes in float16."""
    half = Placement(CPU, torch.float16)
    assert half.for_pictures.dtype == torch.float32
    assert Placement(CPU, torch.bfloat16).for_pictures.dtype == torch.bfloat16
    assert Placement(CPU, torch.bfloat16).for_text.dtype == torch.float32
    cuda = Placement(torch.device("cuda"), torch.float16)
    assert cuda.for_text == cuda
