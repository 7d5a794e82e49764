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
    wrong("infinity among its logits", Answers(lambda x: x.flatten(1) / 0), target=target)
    wrong("model: a function", lambda x: x, target=target)


@pytest.mark.parametrize("target", [None, 1])
def test_images_that_the_model_does_not_take(target):
    wrong("does not take images of torch.float32 and shape", x=X.float(), target=target)
    wrong("does not take images of torch.float64 and shape", x=X[:, :1], target=target)
    wrong("each of 3 channels", normalise=((0.5, 0.5), (1.0, 1.0)), target=target)


def test_a_model_that_raises_without_a_word():
    def fails(x):
        raise AssertionError

    wrong(r"does not take images .* \(AssertionError\)", Answers(fails))


def no_gradient(x):
    with torch.no_grad():
        return build()(x)


def test_models_without_a_gradient():
    wrong("no gradient by the images", Answers(no_gradient))
    with pytest.raises(CurateError, match="model: one logit"):
        saliency.fragility(nn.Sequential(build(), nn.Linear(4, 1)).double(), X, k=5)


def small(act):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), act, nn.Flatten(), nn.Linear(64, 3))
    return net.double().eval()


MADE = {
    "script": torch.jit.script,
    "trace": lambda net: torch.jit.trace(net, X),
    "part": lambda net: nn.Sequential(torch.jit.script(net[:2]), net[2:]),
    "export": lambda net: torch.export.export(net, (X,)).module(),
}
OUT_OF_REACH = "model: {} in it cannot be given another gradient"


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_rectifiers_out_of_reach(kind):
    """Their maps would be those of the plain gradient, and no attack would find a way."""
    net = small(nn.ReLU())
    made = MADE[kind](net)
    assert torch.equal(saliency.gradient(made, X, 1), saliency.gradient(net, X, 1))
    match = OUT_OF_REACH.format("relu")
    wrong(match, made, method="guided_backprop")
    wrong(match, made, softplus_beta=3.0)
    with pytest.raises(CurateError, match=match):
        saliency.iterative_attack(made, X, k=5, iterations=1)


@pytest.mark.parametrize("kind", ["script", "trace", "part"])
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_curves_out_of_reach(kind):
    """Of those DeepLIFT alone needs another gradient."""
    net = small(nn.SiLU())
    made = MADE[kind](net)
    for method in ("guided_backprop", "gradient"):
        explain = getattr(saliency, method)
        assert torch.equal(explain(made, X, 1), explain(net, X, 1))
    wrong(OUT_OF_REACH.format("silu"), made, method="deeplift")


@pytest.mark.parametrize(
    "hidden",
    [torch.ops.aten.relu.default, lambda z: nn.functional.lp_pool2d(z, 2, 1)],
    ids=["kernel", "within lp_pool2d"],
)
def test_a_rectifier_that_is_no_call_of_a_function_of_torch(hidden):
    class Hiding(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.head = nn.Conv2d(3, 4, 3), nn.LazyLinear(3)

        def forward(self, x):
            return self.head(hidden(self.first(x)).flatten(1))

    net = Hiding().double()
    net(X)
    wrong(OUT_OF_REACH.format("relu"), net.eval(), method="guided_backprop")


def test_a_part_that_was_put_right_is_looked_at_again():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), Answers(torch.ops.aten.relu.default), nn.Flatten(), nn.Linear(64, 3)
    )
    net = net.double().eval()
    wrong(OUT_OF_REACH.format("relu"), net, method="guided_backprop")
    net[1] = nn.ReLU()
    assert saliency.guided_backprop(net, X, 1).shape == X.shape


def test_compiled_models_run_as_they_were_written():
    net = build()
    for compiled in (torch.compile(net), nn.Sequential(torch.compile(net, backend="eager"))):
        for method in ("gradient", "deeplift", "guided_backprop"):
            want = getattr(saliency, method)(net, X, 1)
            assert torch.equal(getattr(saliency, method)(compiled, X, 1), want)
    attacked = saliency.iterative_attack(torch.compile(net), X, k=5, iterations=3)
    assert torch.equal(attacked.images, saliency.iterative_attack(net, X, k=5, iterations=3).images)


def test_methods_that_are_brought():
    def attack(method, match):
        with pytest.raises(CurateError, match=match):
            saliency.iterative_attack(build(), X, method, k=5, iterations=1)

    attack(lambda model, x, target: x.detach(), "method: its maps have no gradient")
    attack(lambda model, x, target: x[:1], r"method: it gives shape \(1, 3, 6, 6\)")
    attack(lambda model, x, target: x.flatten(1), "method: it gives shape")
    attack(lambda model, x, target: None, "method: it gives NoneType")


def test_a_linear_model_has_one_map_that_nothing_moves():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(108, 3)).double().eval()
    found = saliency.fragility(linear, X, k=5, iterations=2)
    assert found.table["fragility_topk"].to_pylist() == [0.0] * len(X)


def test_predictions_that_are_all_wrong():
    labels = (build()(X).argmax(1) + 1) % 4
    for options, match in (({}, "give wrong='skip'"), ({"wrong": "skip"}, "check its weights")):
        with pytest.raises(CurateError, match=match):
            saliency.fragility(build(), X, k=5, labels=labels, **options)


def test_ids_and_curves():
    with pytest.raises(CurateError, match="example_ids: 3 occurs twice"):
        saliency.fragility(build(), X, k=5, example_ids=[3, *range(1, len(X))])
    for name in ("methods", "epsilons", "objectives"):
        with pytest.raises(CurateError, match=f"{name}: there are none"):
            saliency.fragility_curve(build(), X, **{name: []})


def test_too_few_copies_for_any_certificate():
    from curate.errors import CurateWarning
    from curate.saliency.certificates.pixels import certified, samples_needed

    least = samples_needed(36, 0.75, 0.01)
    with pytest.warns(CurateWarning, match=f"fewer than {least}, with 36 pixels"):
        saliency.certify_pixels(build(), X, samples=least - 1, level=0.99)
    assert samples_needed(10**6, 0.999999, 0.001) > 10**7  # at once
    for samples, share in ((least - 1, 0), (least, 1)):
        counts = torch.full((1, 6, 6), samples).numpy()
        assert (certified(counts, samples, 0.75, 0.01, "holm") == share).all()


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


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


def test_functions_that_can_be_differentiated_once_only():
    """An attack would have no way to follow, and call the map robust."""
    head = nn.Linear(108, 3).double()
    for after in (lambda z: z, torch.tanh):
        net = Answers(lambda x, after=after: head(after(Once.apply(x).flatten(1))))
        with pytest.raises(CurateError, match="no derivative of it|no second derivative"):
            saliency.iterative_attack(net, X, k=5, iterations=2)
