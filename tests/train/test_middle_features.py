"""A trained network as features for images of any size."""

import pytest
import torch
from torch import nn

from curate.errors import CurateError
from curate.train import build, middle_features
from curate.train._train import Trained
from curate.train.batches import Normaliser


def trained(shape):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (50, *shape)).byte()
    model = build("cnn", shape, 3).eval()
    return Trained(model, Normaliser.of(images), torch.device("cpu"), shape), images


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8)])
def test_the_network_sees_what_it_was_trained_on(shape):
    net, images = trained(shape)
    seen = []
    first = next(module for module in net.model.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = middle_features(net)
    found = features(images.expand(-1, 3, -1, -1))
    torch.testing.assert_close(seen[-1], net.normalise(images), atol=1e-4, rtol=1e-4)
    assert found.shape[0] == 50
    torch.testing.assert_close(features(images), found, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(features(images.float() / 255), found, atol=1e-4, rtol=1e-4)
    larger = torch.randint(0, 256, (4, 3, 64, 64)).byte()
    assert features(larger).shape == (4, found.shape[1])
    assert seen[-1].shape[1:] == shape


def test_a_network_for_words_is_refused():
    with pytest.raises(CurateError, match=r"features: a network for examples of shape \(12,\)"):
        middle_features(Trained(nn.Linear(12, 2), None, torch.device("cpu"), (12,)))
