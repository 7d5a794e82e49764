import sys

import numpy as np
import pytest
import torch
from torch import nn

from curate.bias import Source, as_sources
from curate.errors import CurateError
from curate.features import cnn, extract


def some_images(count=3, side=32):
    drawn = np.random.default_rng(0).integers(0, 256, (count, 3, side, side))
    return torch.from_numpy(drawn.astype(np.uint8))


def normalised(images):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (images / 255 - mean) / std


def test_the_input_of_the_last_linear_layer():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten())
    model = nn.Sequential(trunk, nn.Dropout(), nn.Linear(5 * 900, 7), nn.Softmax(1))
    wanted = trunk.eval()(normalised(some_images())).detach()
    model.train()
    found = cnn(model)(some_images())
    torch.testing.assert_close(found, wanted)
    assert all(module.training for module in model.modules())  # as it was before
    assert not any(module._forward_hooks for module in model.modules())
    assert not found.requires_grad


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "vit_b_32"])
def test_networks_of_torchvision(name):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    size = 224 if name == "vit_b_32" else 64
    model = getattr(models, name)(weights=None).eval()
    images = some_images(2, size)
    found = cnn(model)(images)
    values = normalised(images)
    with torch.no_grad():
        if name == "resnet18":
            wanted = nn.Sequential(*list(model.children())[:-1], nn.Flatten())(values)
        elif name == "squeezenet1_1":
            wanted = model.features(values).mean((2, 3))
        elif name == "mobilenet_v3_small":
            wanted = model.classifier[:3](model.avgpool(model.features(values)).flatten(1))
        else:
            model.heads = nn.Identity()
            wanted = model(values)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_networks_of_timm_with_and_without_a_head(name):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    images = some_images(2, 224)
    found = cnn(model)(images)
    model.reset_classifier(0)
    with torch.no_grad():
        wanted = model(normalised(images))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(cnn(model)(images), wanted)


def test_positions_and_tokens_are_averaged():
    conv = nn.Conv2d(3, 4, 3)
    torch.testing.assert_close(
        cnn(conv)(some_images()), conv(normalised(some_images())).mean((2, 3)).detach()
    )

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(3)

        def forward(self, images):
            return self.norm(images.flatten(2).transpose(1, 2))

    model = Tokens()
    wanted = model(normalised(some_images())).mean(1).detach()
    torch.testing.assert_close(cnn(model)(some_images()), wanted)


def test_normalisation_is_an_argument():
    model = nn.Identity()
    images = some_images()
    plain = cnn(model, mean=(0, 0, 0), std=(1, 1, 1))
    torch.testing.assert_close(plain(images), (images / 255).mean((2, 3)))
    torch.testing.assert_close(plain(images / 255), plain(images))


def test_many_images_are_taken_in_parts():
    sizes = []
    model = nn.Conv2d(3, 2, 3)
    model.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    images = some_images(70)
    found = cnn(model)(images)
    assert max(sizes) <= 32
    torch.testing.assert_close(found, torch.cat([cnn(model)(image[None]) for image in images]))
    assert cnn(model)(images[:0]).shape == (0, 2)


def test_a_network_is_taken_as_features():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)
    )
    source = as_sources({"noise": some_images(5, 16)})[0]
    found = extract(source, model, size=16)
    torch.testing.assert_close(torch.from_numpy(found), cnn(model)(some_images(5, 16)))
    assert found.shape == (5, 6)


def test_what_gives_no_rows_is_named():
    class Pair(nn.Module):
        def forward(self, images):
            return images, images

    with pytest.raises(CurateError, match="the Pair does not give one row"):
        cnn(Pair())(some_images())


def test_cnn_is_resnet18_of_the_local_cache(tmp_path, monkeypatch):
    models = pytest.importorskip("torchvision.models")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    source = Source("noise", np.arange(3), pixels=some_images())
    with pytest.raises(
        CurateError, match="weights are not at .*; call torchvision.models.resnet18"
    ):
        extract(source, "cnn")
    assert not list(tmp_path.iterdir())  # nothing is downloaded
    place = tmp_path / "checkpoints"
    place.mkdir()
    model = models.resnet18()
    file = place / models.ResNet18_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[1]
    torch.save(model.state_dict(), file)
    np.testing.assert_allclose(
        extract(source, "cnn", size=32), cnn(model)(some_images()).numpy(), atol=1e-6, rtol=1e-5
    )
    torch.save(model, file)  # a pickle of code: not from strangers
    with pytest.raises(CurateError, match="does not hold the weights of ResNet-18"):
        extract(source, "cnn")
    assert "torchvision" in sys.modules
