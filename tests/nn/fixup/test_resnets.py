"""The paper's ResNets against the published facts, computed here another way."""

import math

import pytest
import torch
from torch.nn import functional as F

import curate.nn as cn

CIFAR = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}
IMAGENET = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


def build(depth):
    return cn.fixup_resnet(depth) if depth in IMAGENET else cn.fixup_resnet_cifar(depth)


@pytest.mark.parametrize(("depth", "n"), CIFAR.items())
def test_parameter_count_cifar(depth, n):
    convs = 27 * 16 + 9 * 16 * 16 * 2 * n
    for wide in (32, 64):
        convs += 9 * (wide // 2 * wide + wide * wide * (2 * n - 1))
    scalars = 5 * 3 * n + 2
    expected = convs + scalars + 64 * 10 + 10
    assert sum(p.numel() for p in build(depth).parameters()) == expected


@pytest.mark.parametrize("depth", IMAGENET)
def test_parameter_count_is_torchvisions_without_norms_and_with_scalars(depth):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        plain = getattr(torchvision.models, f"resnet{depth}")()
        ours = build(depth)
    kind, blocks = IMAGENET[depth]
    convs_and_classifier = sum(
        p.numel() for m in plain.modules() for p in m.parameters(recurse=False)
        if not isinstance(m, torch.nn.BatchNorm2d)
    )  # fmt: skip
    scalars = (5 if kind == "basic" else 7) * sum(blocks) + 2
    assert sum(p.numel() for p in ours.parameters()) == convs_and_classifier + scalars


def test_resnet1202_has_600_blocks():
    with torch.device("meta"):
        model = cn.fixup_resnet_cifar(1202)
    assert sum(isinstance(m, cn.FixupBasicBlock) for m in model.modules()) == 600


@pytest.mark.parametrize("depth", [*CIFAR, 1202, *IMAGENET])
def test_old_names_of_one_depth_forward(depth):
    with pytest.warns(DeprecationWarning, match=rf"fixup_resnet\w*\({depth}\)"):
        build_old = getattr(cn, f"fixup_resnet{depth}")
    with torch.device("meta"):
        assert build_old(num_classes=3).fc.out_features == 3
        assert len(build_old().state_dict()) == len(build(depth).state_dict())


def test_a_depth_that_no_table_has():
    with pytest.raises(cn.FixupError, match="depth: 19; give one of 18, 34"):
        cn.fixup_resnet(19)
    with pytest.raises(AttributeError, match="fixup_resnet19"):
        cn.fixup_resnet19  # noqa: B018


def he(weight):
    return math.sqrt(2 / (weight.shape[0] * weight.shape[2] * weight.shape[3]))


@pytest.mark.parametrize("depth", [20, 56, 18, 50])
def test_initial_statistics(depth):
    torch.manual_seed(1)
    model = build(depth)
    if depth in CIFAR:
        kind, blocks = "basic", 3 * CIFAR[depth]
    else:
        kind, blocks = IMAGENET[depth][0], sum(IMAGENET[depth][1])
    factor = blocks ** (-0.5 if kind == "basic" else -0.25)
    last = "conv2" if kind == "basic" else "conv3"
    stem = model.conv1.weight
    for name, value in model.state_dict().items():
        if value.numel() == 1:
            assert value.item() == float(name.endswith("scale")), name
        elif name.startswith("fc") or f".{last}." in name:
            assert not value.any(), name
        else:
            if name == "conv1.weight":  # the authors leave the stem as torch draws it
                expected = 1 / math.sqrt(3 * stem[0].numel())
            else:
                expected = he(value) * (1.0 if "downsample" in name else factor)
            tolerance = 5 / math.sqrt(2 * value.numel())
            assert value.std().item() == pytest.approx(expected, rel=tolerance), name
            assert abs(value.mean().item()) < 5 * expected / math.sqrt(value.numel()), name


def test_names_and_order_are_the_authors():
    names = [name for name, _ in cn.fixup_resnet_cifar(20).layer1[0].named_parameters()]
    scalars = ["bias1a", "bias1b", "bias2a", "scale", "bias2b"]
    assert names == [*scalars, "conv1.weight", "conv2.weight"]
    with torch.device("meta"):
        names = [name for name, _ in cn.fixup_resnet(50).layer1[1].named_parameters()]
    scalars = ["bias1a", "bias1b", "bias2a", "bias2b", "bias3a", "scale", "bias3b"]
    assert names == [*scalars, "conv1.weight", "conv2.weight", "conv3.weight"]


def test_forward_pass_cifar_by_functions_only():
    """The published order of biases, activations and shortcuts, from the state dict alone."""
    torch.manual_seed(2)
    model = cn.fixup_resnet_cifar(20).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    s = model.state_dict()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    h = F.conv2d(x, s["conv1.weight"], padding=1)
    h = (h + s["bias1"]).clamp(min=0)
    for stage in (1, 2, 3):
        for block in range(3):
            b = {
                k.split(".", 2)[2]: v
                for k, v in s.items()
                if k.startswith(f"layer{stage}.{block}.")
            }
            down = stage > 1 and block == 0
            shifted = h + b["bias1a"]
            inner = F.conv2d(shifted, b["conv1.weight"], padding=1, stride=2 if down else 1)
            inner = (inner + b["bias1b"]).clamp(min=0) + b["bias2a"]
            inner = F.conv2d(inner, b["conv2.weight"], padding=1) * b["scale"] + b["bias2b"]
            if down:
                small = shifted[:, :, ::2, ::2]
                h = torch.cat([small, torch.zeros_like(small)], 1)
            h = (inner + h).clamp(min=0)
    logits = (h.mean((2, 3)) + s["bias2"]) @ s["fc.weight"].T + s["fc.bias"]
    torch.testing.assert_close(model(x), logits, rtol=1e-12, atol=1e-12)


def test_forward_pass_of_a_bottleneck():
    torch.manual_seed(2)
    block = cn.FixupBottleneck(8, 4, stride=2, projection=True).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    b = block.state_dict()
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    h = (F.conv2d(x + b["bias1a"], b["conv1.weight"]) + b["bias1b"]).clamp(min=0)
    h = F.conv2d(h + b["bias2a"], b["conv2.weight"], stride=2, padding=1)
    h = (h + b["bias2b"]).clamp(min=0)
    h = F.conv2d(h + b["bias3a"], b["conv3.weight"]) * b["scale"] + b["bias3b"]
    h = h + F.conv2d(x + b["bias1a"], b["downsample.weight"], stride=2)
    torch.testing.assert_close(block(x), h.clamp(min=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("depth", [20, 44])
def test_every_block_is_the_identity_and_the_network_zero(depth):
    model = build(depth)
    x = torch.rand(2, 16, 8, 8)  # after a ReLU: not negative
    for block in model.layer1:
        assert torch.equal(block(x), x)
    assert not model(torch.randn(2, 3, 32, 32)).any()


def test_other_widths_classes_and_images():
    model = cn.fixup_resnet_cifar(14, 7, width=4, in_channels=1)
    assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 7)
    for depth, suggestion in ((21, "try 20 or 26"), (2, "try 8 or 14"), (0, "try 8 or 14")):
        with pytest.raises(cn.FixupError, match=suggestion):
            cn.fixup_resnet_cifar(depth)
    with pytest.raises(cn.FixupError, match="width: 0"):
        cn.fixup_resnet_cifar(20, width=0)


def test_built_on_meta_then_given_memory():
    with torch.device("meta"):
        model = cn.fixup_resnet_cifar(20)
    assert all(p.is_meta for p in model.parameters())
    model = model.to_empty(device="cpu")
    model.reset_parameters()
    assert not model(torch.randn(1, 3, 32, 32)).any()
    assert model.layer1[0].scale.item() == 1
    assert model.layer1[0].conv1.weight.std() > 0
