"""What cannot be explained is refused in one sentence."""

import pytest
import torch
from torch import nn

from curate import saliency
from curate.errors import CurateError
from tests.saliency.nets import build, images

X = images()


class Answers(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


def wrong(match, model=None, x=X, target=1, method="gradient", **options):
    with pytest.raises(CurateError, match=match) as caught:
        getattr(saliency, method)(build() if model is None else model, x, target, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", [None, 1])
def test_models_without_logits(target):
    wrong("gives a tuple, not logits", Answers(lambda x: (x, x)), target=target)
    wrong("gives a dict, not logits", Answers(lambda x: {"logits": x}), target=target)
    wrong("of shape \\(4,\\)", Answers(lambda x: x.mean((1, 2, 3))), target=target)
    wrong("int64 of shape", Answers(lambda x: x.flatten(1).argmax(1)), target=target)
    wrong("probabilities, not logits", nn.Sequential(build(), nn.Softmax(1)), target=target)
    wrong("NaN among its logits", Answers(lambda x: x.flatten(1) * float("nan")), target=target)
    wrong("model: a function", lambda x: x, target=target)


def test_models_that_mix_examples():
    wrong("training mode; call model.eval", build().train())


def test_images():
    wrong("outside the bounds 0 to 1", x=X * 255)
    wrong("outside the bounds", x=X.clone().fill_(float("nan")))
    wrong("images: torch.uint8 of shape", x=(X * 255).byte())
    wrong("images: torch.float64 of shape \\(3, 6, 6\\)", x=X[0])
    wrong("images: ndarray", x=X.numpy())
    wrong("images: there are none", x=X[:0])
    wrong("bounds: \\(1, 0\\)", bounds=(1, 0))


def test_targets():
    wrong("class 4; the model has 4", target=4)
    wrong("target: -1", target=-1)
    wrong("target: tensor", target=torch.tensor([1, 2]))
    wrong("target: tensor", target=torch.ones(4))


def test_numbers():
    wrong("chunk: 0", chunk=0)
    wrong("softplus_beta: 0", softplus_beta=0)
    wrong("samples: 0", method="smoothgrad", samples=0)
    wrong("noise: -1", method="smoothgrad", noise=-1)
    wrong("seed: -1", method="smoothgrad", seed=-1)
    wrong("steps: 0", method="integrated_gradients", steps=0)
    wrong("tolerance: 0", method="integrated_gradients", tolerance=0)
    wrong("most_steps: 1", method="integrated_gradients", most_steps=1)
    wrong("baseline: shape \\(2,\\)", method="deeplift", baseline=torch.zeros(2))


def test_layers():
    wrong("'nowhere' is no module", method="grad_cam", layer="nowhere")
    wrong("not part of the model", method="grad_cam", layer=nn.ReLU())
    wrong("no feature map", method="grad_cam", layer="last")
    linear = nn.Sequential(nn.Flatten(), nn.Linear(108, 3)).double().eval()
    wrong("no module of the model gives", linear, method="grad_cam")


def test_completeness_of_other_maps():
    with pytest.raises(CurateError, match="maps: shape"):
        saliency.completeness_error(build(), X, X[:2], 1)
