"""Attention: the spelt-out formula of training is the fused kernel's."""

import pytest
import torch
import torch.nn.functional as F

from safelight.diffusion.attention import attend


@pytest.mark.parametrize(("causal", "biased"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_training_sees_the_attention_of_sampling(
    causal: bool, biased: bool, scale: float | None
) -> None:
    """With and without gradients the result is the same, and so are the gradients."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 7, 12) for _ in range(3))
    bias = torch.randn(1, 3, 7, 7) if biased else None
    fused = attend(query, key, value, 3, causal=causal, bias=bias, scale=scale)
    learning = [tensor.clone().requires_grad_() for tensor in (query, key, value)]
    spelt = attend(learning[0], learning[1], learning[2], 3, causal=causal, bias=bias, scale=scale)
    torch.testing.assert_close(spelt, fused, rtol=1e-5, atol=1e-6)

    again = [tensor.clone().requires_grad_() for tensor in (query, key, value)]
    q, k, v = (tensor.reshape(2, 7, 3, 4).transpose(1, 2) for tensor in again)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal, scale=scale)
    wanted = torch.autograd.grad(mixed.transpose(1, 2).flatten(2).square().sum(), again)
    given = torch.autograd.grad(spelt.square().sum(), learning)
    torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
