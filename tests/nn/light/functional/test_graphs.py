"""Compiled, exported, scripted: the same numbers, from the program that was written."""

import importlib.util
import io
import subprocess
import sys

import pytest
import torch

from curate.nn import DynamicConv1d, LightConvBlock, LightweightConv1d

MODULES = {
    "lightweight": lambda: LightweightConv1d(8, 5, num_heads=2, padding="causal", bias=True),
    "lightweight, renormalised": lambda: LightweightConv1d(8, 5, num_heads=2, renorm_padding=True),
    "dynamic": lambda: DynamicConv1d(8, 5, num_heads=2, padding="causal", conv_bias=True),
    "dynamic, projected": lambda: DynamicConv1d(8, 4, num_heads=2, in_proj=True),
    "block": lambda: LightConvBlock(8, 5, num_heads=2, padding="causal"),
    "dynamic block": lambda: LightConvBlock(8, 5, num_heads=2, kind="dynamic", padding="causal"),
}


@pytest.fixture(params=sorted(MODULES))
def module(request):
    torch.manual_seed(0)
    return MODULES[request.param]().eval()


def causal(module):
    conv = getattr(module, "conv", module)
    return conv.right == 0


def test_compiles_in_one_graph(module):
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 9, 8, requires_grad=True)
    inputs = (x, *module.parameters())
    y, expected = compiled(x), module(x)
    torch.testing.assert_close(y, expected)
    slopes = torch.randn_like(y)
    for got, want in zip(
        torch.autograd.grad(y, inputs, slopes),
        torch.autograd.grad(expected, inputs, slopes),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_compiles_with_inductor():
    torch._dynamo.reset()
    block = MODULES["dynamic block"]()
    compiled = torch.compile(block, fullgraph=True)
    x = torch.randn(2, 9, 8)
    try:
        y = compiled(x)
    except torch._inductor.exc.InductorError as error:  # pragma: no cover
        pytest.skip(f"inductor found no C++ compiler: {error}")
    torch.testing.assert_close(y, block(x))
    got = torch.autograd.grad(y.square().sum(), list(block.parameters()))
    want = torch.autograd.grad(block(x).square().sum(), list(block.parameters()))
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
def test_scripts_saves_and_steps(module):
    scripted = torch.jit.script(module)
    x = torch.randn(2, 9, 8)
    torch.testing.assert_close(scripted(x), module(x))
    scripted(x).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    loaded = torch.jit.load(file)
    torch.testing.assert_close(loaded(x), module(x))
    if causal(module):
        first, state = loaded.step(x[:, :4])
        rest, _ = loaded.step(x[:, 4:], state)
        torch.testing.assert_close(torch.cat((first, rest), 1), module(x))
        assert torch.equal(loaded.reorder(state, torch.tensor([1]))[0], state[1])


RUN = """
import sys, torch
assert not any(name.startswith("curate") for name in sys.modules)
program, x, y = torch.export.load(sys.argv[1]), *torch.load(sys.argv[2])
torch.testing.assert_close(program.module()(x), y)
assert not any(name.startswith("curate") for name in sys.modules)
"""


@pytest.mark.skipif(
    not hasattr(torch.compiler, "is_exporting"),
    reason="torch before 2.7 cannot tell an export; the program then needs this package",
)
def test_an_exported_program_runs_without_this_package(tmp_path):
    block = MODULES["dynamic block"]().eval()
    time = torch.export.Dim("time", min=6, max=99)
    program = torch.export.export(block, (torch.randn(2, 9, 8),), dynamic_shapes=({1: time},))
    torch.export.save(program, tmp_path / "block.pt2")
    x = torch.randn(2, 23, 8)
    torch.save((x, block(x).detach()), tmp_path / "example.pt")
    command = [sys.executable, "-c", RUN, tmp_path / "block.pt2", tmp_path / "example.pt"]
    subprocess.run(command, check=True, cwd=tmp_path)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxscript", "onnxruntime")),
    reason="onnxscript and onnxruntime are not installed: pip install onnxscript onnxruntime",
)
def test_onnx_gives_the_same_for_any_length(module, tmp_path):
    import onnxruntime

    if not hasattr(torch.compiler, "is_exporting"):  # torch 2.6 does not say that it exports
        for each in module.modules():
            if hasattr(each, "backend"):
                each.backend = "composed"
    file = tmp_path / "module.onnx"
    x = torch.randn(2, 9, 8)
    shapes = ({1: torch.export.Dim("time", min=6, max=99)},)
    torch.onnx.export(module, (x,), file, dynamo=True, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(file)
    for length in (9, 30):
        x = torch.randn(2, length, 8)
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), module(x), atol=1e-5, rtol=1e-5)
