"""The two features that are made for finding copies."""

import pytest
import torch
from torch import nn

from curate.errors import CurateError
from curate.features import local_dct, middle


def images(count=4, channels=3, side=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, side, side), generator=generator).byte()


def test_local_dct_is_the_dct_of_every_patch():
    picture = images(1)
    found = local_dct(picture).view(2, 3, 9, 4, 4)
    values = picture[0].double() / 255
    light = values.mean(0)
    contrast = 3**0.5 * light.std(unbiased=False) + 0.03
    red_green = (values[0] - values[1]) * 0.707 / contrast
    padded = nn.functional.pad(red_green[None, None], (1, 2, 1, 2), mode="reflect")[0, 0]
    at = torch.arange(4).double() + 0.5
    wave = torch.cos(torch.pi * at / 4)
    kernel = torch.outer(torch.full((4,), 0.5).double(), wave / wave.norm())  # the first: (0, 1)
    cell = []
    for row in range(8, 16):
        for column in range(24, 32):
            value = (padded[row : row + 4, column : column + 4] * kernel).sum()
            cell.append(max(0.0, float(value)) ** 0.5)
    assert abs(0.7 * sum(cell) / 64 - float(found[0, 1, 0, 1, 3])) < 1e-5


def test_local_dct_takes_grey_images_floats_and_none():
    grey = images(3, 1, 8)
    assert torch.equal(local_dct(grey), local_dct(grey.expand(-1, 3, -1, -1)))
    torch.testing.assert_close(local_dct(images().float() / 255), local_dct(images()))
    assert local_dct(images()[:0]).shape == (0, 864)
    with pytest.raises(CurateError, match="images: 2 channels; give 1"):
        local_dct(images(1, 2))


class Staged(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.BatchNorm2d(4))
        self.layer2 = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6))
        self.layer3 = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.layer3(self.layer2(self.layer1(x)).relu()).mean((2, 3)))


def test_the_middle_layer_is_layer2_pooled_to_4_by_4():
    torch.manual_seed(0)
    model = Staged().train()
    found = middle(model, mean=(0.0,) * 3, std=(1.0,) * 3)(images())
    assert model.training
    assert all(module.training for module in model.modules())
    model.eval()
    with torch.no_grad():
        wanted = model.layer2(model.layer1(images().float() / 255))
    wanted = nn.functional.adaptive_avg_pool2d(wanted, 4).flatten(1)
    torch.testing.assert_close(found, wanted)
    named = middle(model, "layer2", (0.0,) * 3, (1.0,) * 3)(images())
    torch.testing.assert_close(named, wanted)


def test_the_middle_of_a_resnet_for_imagenet_is_layer2_too():
    from torchvision.models import resnet18

    model = resnet18().eval()
    torch.testing.assert_close(
        middle(model)(images(1, side=64)), middle(model, "layer2")(images(1, side=64))
    )


def test_a_network_without_such_a_layer_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    with pytest.raises(CurateError, match="features: no layer of the Sequential has activations"):
        middle(model)(images())
    with pytest.raises(CurateError, match="layer: 'layer9' is none of the network's"):
        middle(model, "layer9")
    with pytest.raises(CurateError, match="layer: this one of the Sequential gives no activations"):
        middle(model, "1")(images())


def test_a_network_for_other_images_is_named():
    grey = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1))
    with pytest.raises(CurateError, match=r"the Sequential does not take images of shape \(1, 3"):
        middle(grey)(images())
