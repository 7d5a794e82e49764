"""The Triton kernels, in Triton's interpreter: it has to be chosen before triton is imported."""

import importlib.util
import os
import subprocess
import sys

import pytest

CODE = """
import torch
from curate.nn import dynamic_conv1d, lightweight_conv1d
torch.manual_seed(0)
# positions, channels, heads, taps, padding, dtype
for source, channels, heads, taps, padding, dtype in [
    (5, 4, 2, 3, "same", torch.float64),
    (67, 6, 2, 3, "causal", torch.float64),
    (3, 4, 1, 11, (4, 6), torch.float64),
    (9, 140, 2, 4, 0, torch.float32),
    (5, 8, 2, 3, "same", torch.bfloat16),
]:
    x = torch.randn(2, source, channels).to(dtype).requires_grad_()
    length = source - taps + 1 if padding == 0 else source
    for kind, shape in ((lightweight_conv1d, ()), (dynamic_conv1d, (2, length))):
        weight = torch.randn(*shape, heads, taps).to(dtype).requires_grad_()
        y, z = (kind(x, weight, padding=padding, backend=b) for b in ("torch", "triton"))
        slopes = torch.randn_like(y)
        got = [z, *torch.autograd.grad(z, (x, weight), slopes)]
        want = [y, *torch.autograd.grad(y, (x, weight), slopes)]
        near = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.05}[dtype]
        for one, other in zip(got, want):
            torch.testing.assert_close(one, other, atol=near, rtol=near)
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_triton_equals_torch():
    environment = dict(os.environ, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")
    subprocess.run([sys.executable, "-c", CODE], check=True, env=environment)
