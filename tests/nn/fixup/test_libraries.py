"""Networks of other libraries: found without being named anywhere in the code."""

import pytest
import torch

from curate.nn import FixupError, fixup_, fixup_resnet


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvision_becomes_the_papers_network(depth):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    model, paper = getattr(torchvision.models, f"resnet{depth}")(), fixup_resnet(depth)
    fixup_(model, verbose=False)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in paper.parameters())
    initial = dict(paper.named_parameters())
    for key, value in model.state_dict().items():
        if key.endswith("weight") and "fixup" not in key and key != "conv1.weight":
            other = initial[key.replace("downsample.0", "downsample")]
            assert value.std().item() == pytest.approx(other.std().item(), rel=0.06), key
    # the same function, too, when the same numbers are in both
    places = {
        "bias1a": "conv1.fixup_before.bias", "bias1b": "conv1.fixup_after.bias",
        "bias2a": "conv2.fixup_before.bias", "bias2b": "conv2.fixup_after.bias",
        "bias3a": "conv3.fixup_before.bias", "bias3b": "conv3.fixup_after.bias",
        "scale": "conv3.fixup_scale.scale", "downsample.weight": "downsample.0.weight",
    }  # fmt: skip
    if depth == 18:
        places["scale"] = "conv2.fixup_scale.scale"
    top = {"bias1": "conv1.fixup_after.bias", "bias2": "fc.fixup_before.bias"}
    state = {}
    for key, value in paper.double().state_dict().items():
        value = torch.randn_like(value) * 0.05
        paper.state_dict()[key].copy_(value)
        block, _, last = key.rpartition(".") if "downsample" not in key else (
            key[: key.index("downsample") - 1], "", "downsample.weight"
        )  # fmt: skip
        target = f"{block}.{places[last]}" if last in places else top.get(key, key)
        state[target] = value
        if last == "bias1a":  # shared with the projection, where there is one
            state[f"{block}.downsample.0.fixup_before.bias"] = value
    missing = model.double().load_state_dict(
        {k: v for k, v in state.items() if k in model.state_dict()}, strict=True
    )
    assert not missing.missing_keys
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(model(x), paper(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "branches"), [("mobilenet_v3_small", 6), ("convnext_tiny", 18), ("vit_b_16", 24)]
)
def test_other_torchvision_networks(name, branches):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
        report = fixup_(model, verbose=False)
    assert report.num_branches == branches
    assert len(report.classifiers) == 1


def test_weights_that_no_module_call_uses_are_named():
    torchvision = pytest.importorskip("torchvision")
    with (
        torch.device("meta"),
        pytest.raises(FixupError, match="attn.qkv.*not called as modules"),
    ):
        fixup_(torchvision.models.swin_t(), verbose=False)


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_hugging_face(kind):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        layer_type=kind, depths=[1, 2], hidden_sizes=[8, 16], embedding_size=8
    )
    images = torch.randn(1, 3, 32, 32)
    model = transformers.ResNetForImageClassification(config)
    report = fixup_(model, verbose=False)
    assert report.num_branches == 3
    assert {b.num_layers for b in report.branches} == {2 if kind == "basic" else 3}
    assert report.classifiers == ["classifier.1"]
    assert not model(images).logits.any()
    again = transformers.ResNetForImageClassification(config)
    fixup_(again, example_inputs={"pixel_values": images}, verbose=False)
    assert set(again.state_dict()) == set(model.state_dict())


@pytest.mark.parametrize(
    ("name", "branches"),
    [("resnet18", 8), ("seresnet50", 16), ("resnetv2_50", 16), ("res2net50_26w_4s", 16)],
)
def test_timm(name, branches):
    timm = pytest.importorskip("timm")
    model = timm.create_model(name)
    report = fixup_(model, verbose=False)
    assert report.num_branches == branches
    assert not model(torch.randn(1, 3, 64, 64)).any()
