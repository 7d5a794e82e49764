"""Every map against a slow definition of its own, and the gradient through it."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from curate import saliency
from curate.errors import CurateWarning
from curate.saliency.maps.smooth import noise_like
from tests.saliency.nets import RELU_STYLES, Functional, Styled, build, images, layers

METHODS = {
    "gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": 5},
    "deeplift": {},
    "smoothgrad": {"samples": 3, "noise": 0.1},
    "grad_cam": {},
    "guided_backprop": {},
}


def explain(name, net, x, target=1, **options):
    return getattr(saliency, name)(net, x, target, **METHODS[name], **options)


def slope_at(net, image, target):
    image = image.detach().clone().requires_grad_()
    net(image[None])[0, target].backward()
    return image.grad


def test_gradient_is_that_of_each_image_by_itself():
    net, x = build(), images()
    expected = torch.stack([slope_at(net, image, 1) for image in x])
    assert torch.allclose(explain("gradient", net, x), expected, atol=1e-12)
    assert torch.allclose(explain("gradient_x_input", net, x), expected * x, atol=1e-12)


def test_gradient_equals_finite_differences():
    net, x = build(act=F.softplus, style=Styled), images(1)
    found = explain("gradient", net, x)
    for place in [(0, 0, 0), (1, 3, 2), (2, 5, 5)]:
        step = torch.zeros_like(x)
        step[0][place] = 1e-6
        with torch.no_grad():
            rise = float((net(x + step) - net(x - step))[0, 1] / 2e-6)
        assert float(found[0][place]) == pytest.approx(rise, abs=1e-7)


def test_integrated_gradients_is_the_mean_gradient_on_the_way():
    net, x = build(), images(2)
    base = 0.3
    expected = torch.zeros_like(x)
    for row, image in enumerate(x):
        for k in range(5):
            point = base + (k + 0.5) / 5 * (image - base)
            expected[row] += slope_at(net, point, 1) / 5
    expected *= x - base
    found = explain("integrated_gradients", net, x, baseline=base)
    assert torch.allclose(found, expected, atol=1e-12)


def test_integrated_gradients_choose_their_steps_by_completeness():
    net, x = build(), images(6)
    base = torch.zeros_like(x)
    maps = saliency.integrated_gradients(net, x, 1, tolerance=0.002)
    errors = saliency.completeness_error(net, x, maps, 1)
    with torch.no_grad():
        rise = (net(x) - net(base))[:, 1]
    gaps = (maps.sum((1, 2, 3)) - rise).abs() / rise.abs()
    assert torch.allclose(errors, gaps)
    assert float(errors.max()) <= 0.002
    smooth = build(act=F.softplus, style=Styled, pool="average")
    maps = saliency.integrated_gradients(smooth, x, 1, tolerance=0.001)
    many = saliency.integrated_gradients(smooth, x, 1, steps=1000)
    assert float((maps - many).abs().max()) < 0.01 * float(many.abs().max())


def test_integrated_gradients_say_where_they_do_not_add_up():
    net, x = build(), images(6)
    with pytest.warns(CurateWarning, match="integrated_gradients: the maps of"):
        saliency.integrated_gradients(net, x, 1, tolerance=1e-9, most_steps=6)


def test_smoothgrad_is_the_mean_over_noisy_copies():
    net, x = build(), images(2)
    expected = torch.zeros_like(x)
    for row, image in enumerate(x):
        for k in range(3):
            expected[row] += slope_at(net, image + 0.1 * noise_like(x, 0, k), 1) / 3
    assert torch.allclose(explain("smoothgrad", net, x), expected, atol=1e-12)
    other = saliency.smoothgrad(net, x, 1, samples=3, noise=0.1, seed=1)
    assert not torch.allclose(other, expected)


def test_grad_cam_weighs_the_feature_maps_by_their_mean_gradient():
    net, x = build(), images(1)
    features = net.norm(net.second(F.max_pool2d(F.relu(net.first(x)), 2))).detach()
    pooled = F.max_pool2d(F.relu(net.first(x)), 2).detach()

    def rest(values):
        y = F.relu(values)
        y = (pooled + y) * torch.sigmoid(y.mean((2, 3), keepdim=True))
        return float(net.last(y.flatten(1))[0, 1])

    cam = torch.zeros(1, 1, 3, 3, dtype=x.dtype)
    with torch.no_grad():
        for channel in range(6):
            weight = 0.0
            for place in range(9):
                step = torch.zeros_like(features)
                step[0, channel].view(-1)[place] = 1e-6
                weight += (rest(features + step) - rest(features - step)) / 2e-6 / 9
            cam += weight * features[:, channel : channel + 1]
    expected = F.interpolate(cam, (6, 6), mode="bilinear", align_corners=False)
    found = saliency.grad_cam(net, x, 1)
    assert torch.allclose(found.sum(1, keepdim=True), expected, atol=1e-6)
    clipped = saliency.grad_cam(net, x, 1, relu=True, layer="norm")
    places = F.interpolate(cam.clamp(min=0), (6, 6), mode="bilinear", align_corners=False)
    assert torch.allclose(clipped.sum(1, keepdim=True), places, atol=1e-6)


def test_guided_backpropagation_by_hand():
    net, x = layers(nn.ReLU()), images(3, 3)
    for row, image in enumerate(x):
        a = net[1](image.flatten())
        b = net[3](a.clamp(min=0))
        signal = net[5].weight[1]
        signal = torch.where((b > 0) & (signal > 0), signal, 0) @ net[3].weight
        signal = torch.where((a > 0) & (signal > 0), signal, 0) @ net[1].weight
        found = saliency.guided_backprop(net, x, 1)[row]
        assert torch.allclose(found.flatten(), signal, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_all_styles_of_a_network_have_one_map(name):
    x = images()
    layer = {"layer": "norm"} if name == "grad_cam" else {}
    for beta in (None, 3.0):
        expected = explain(name, build(Functional), x, softplus_beta=beta, **layer)
        for style in RELU_STYLES:
            found = explain(name, build(style), x, softplus_beta=beta, **layer)
            assert torch.allclose(found, expected, atol=1e-10), (style, beta)


@pytest.mark.parametrize("name", METHODS)
def test_softplus_stands_in_for_relu(name):
    x, options = images(), {}
    smooth = build(Styled, act=lambda x: F.softplus(x, 3.0))
    if name == "grad_cam":
        options["layer"] = "second"
    expected = explain(name, smooth, x, **options)
    found = explain(name, build(Functional), x, softplus_beta=3.0, **options)
    assert torch.allclose(found, expected, atol=1e-8)


NETS = {style.__name__: (style, {}, 2.0) for style in RELU_STYLES}
NETS["softplus"] = (Styled, {"act": F.softplus}, None)
NETS["silu, average pooling"] = (Styled, {"act": F.silu, "pool": "average"}, None)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("chunk", [64, 3])
def test_the_gradient_through_a_map_equals_finite_differences(name, kind, chunk):
    style, options, beta = NETS[kind]
    net, x = build(style, **options), images().requires_grad_()
    generator = torch.Generator().manual_seed(4)
    weights = torch.randn(x.shape, generator=generator, dtype=x.dtype)

    def value(at):
        maps = explain(name, net, at, softplus_beta=beta, chunk=chunk)
        return (maps * weights).sum()

    (found,) = torch.autograd.grad(value(x), x)
    for _ in range(4):
        way = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        with torch.no_grad():
            rise = float(value(x + 1e-5 * way) - value(x - 1e-5 * way)) / 2e-5
        assert abs(float((found * way).sum()) - rise) <= 1e-6 * max(1, abs(rise))


@pytest.mark.parametrize("name", METHODS)
def test_a_map_depends_on_no_other_image_nor_on_the_chunk(name):
    net, x = build(), images(5)
    whole = explain(name, net, x)
    assert whole.shape == x.shape
    assert not whole.requires_grad
    assert torch.allclose(explain(name, net, x, chunk=2), whole, atol=1e-12)
    assert torch.allclose(explain(name, net, x[2:3]), whole[2:3], atol=1e-12)
    for parameter in net.parameters():
        assert parameter.grad is None


@pytest.mark.parametrize("name", METHODS)
def test_the_target_is_the_predicted_class_and_pixels_are_normalised_inside(name):
    net, x = build(), images()
    mean, std = (0.2, 0.3, 0.4), (0.5, 0.6, 0.7)
    shift, scale = (torch.tensor(part, dtype=x.dtype).view(3, 1, 1) for part in (mean, std))

    class Inside(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net((x - shift) / scale)

    predicted = net((x - shift) / scale).argmax(1)
    expected = explain(name, Inside().eval(), x, predicted)
    for normalise in [(mean, std), lambda x: (x - shift) / scale]:
        found = explain(name, net, x, None, normalise=normalise)
        assert torch.allclose(found, expected, atol=1e-10)


def test_gradients_of_parameters_pass_through_a_map_in_one_chunk():
    """What curvature regularisation needs."""
    net, x = build(Styled, act=F.softplus), images().requires_grad_()
    size = saliency.gradient(net, x, 1).square().sum()
    (found,) = torch.autograd.grad(size, net.first.bias)
    with torch.no_grad():
        net.first.bias[0] += 1e-6
        up = float(saliency.gradient(net, x.detach(), 1).square().sum())
        net.first.bias[0] -= 2e-6
        down = float(saliency.gradient(net, x.detach(), 1).square().sum())
    assert float(found[0]) == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_pixel_scores_are_sums_over_channels_of_absolute_values():
    maps = torch.tensor([[[[1.0, -2]], [[-3, 0]]]])
    assert saliency.pixel_scores(maps).tolist() == [[[4.0, 2.0]]]


@pytest.mark.parametrize("name", METHODS)
def test_reference_models_of_the_library(name):
    from curate.train import build as build_net

    torch.manual_seed(0)
    net = build_net("cnn", (3, 32, 32), 10).eval()
    x = torch.rand(3, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = explain(name, net, x)
    assert torch.isfinite(maps).all()
