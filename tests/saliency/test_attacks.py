"""Attacks: what they keep, what they reach, and what they refuse."""

import pytest
import torch
from torch import nn

from curate import saliency
from curate.errors import CurateError
from curate.saliency.attacks.iterative import _uphill
from curate.saliency.attacks.objectives import shares
from curate.saliency.attacks.setting import set_up
from curate.saliency.engine.net import Net
from curate.saliency.engine.scale import rectifier_scale
from tests.saliency.nets import Functional, build, images

X = images(5, 6)
QUICK = {
    "iterative_attack": {"iterations": 8, "step": 0.01},
    "strong_attack": {"iterations": 8},
    "random_signs": {"draws": 3},
    "black_box_step": {"queries": 8},
}


def run(name, net=None, x=X, **options):
    options = {"k": 6, "epsilon": 0.05, **QUICK[name], **options}
    return getattr(saliency, name)(build() if net is None else net, x, **options)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("objective", ["topk", "centre", "region", "target"])
def test_an_attack_keeps_what_it_has_to(name, objective):
    net, region = build(), torch.zeros(6, 6, dtype=torch.bool)
    region[:2, :2] = True
    found = run(name, net, objective=objective, region=region)
    assert float((found.images - X).abs().max()) <= 0.05 + 1e-12
    assert float(found.images.min()) >= 0
    assert float(found.images.max()) <= 1
    assert torch.equal(net(found.images).argmax(1), net(X).argmax(1))
    assert torch.equal(found.images[~found.found], X[~found.found])
    expected = saliency.gradient(net, found.images, found.target)
    assert torch.allclose(found.maps, expected, atol=1e-12)


def by_hand(objective, before, after, region):
    """The objective of one example from its definition."""
    before, after = (maps.abs().sum(0) / maps.abs().sum() for maps in (before, after))
    if objective == "topk":
        top = before.flatten().argsort(descending=True)[:6]
        return -float(after.flatten()[top].sum())
    if objective == "region":
        return float(after[region].sum())
    if objective == "target":
        return -float(((after - torch.rot90(before, 2)) ** 2).sum())
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    shift = [float(((after - before) * axis).sum()) for axis in (rows, columns)]
    return (shift[0] ** 2 + shift[1] ** 2) ** 0.5


@pytest.mark.parametrize("objective", ["topk", "centre", "region", "target"])
def test_objectives_by_hand_and_gradients_beat_chance(objective):
    net, region = build(), torch.zeros(6, 6, dtype=torch.bool)
    region[:2, :2] = True
    before = saliency.gradient(net, X)
    attacked = run("iterative_attack", net, objective=objective, region=region, iterations=30)
    random = run("random_signs", net, objective=objective, region=region)
    for found in (attacked, random):
        for row in range(len(X)):
            value = by_hand(objective, before[row], found.maps[row], region)
            assert float(found.objective[row]) == pytest.approx(value, abs=1e-6)
    assert float(attacked.objective.mean()) > float(random.objective.mean())


def test_more_restarts_are_never_worse():
    one, three = (run("iterative_attack", restarts=count) for count in (1, 3))
    assert bool((three.objective >= one.objective).all())


@pytest.mark.parametrize("seed", range(5))
def test_the_strong_attack_leaves_no_more_than_the_papers(seed):
    drawn = torch.Generator().manual_seed(seed)
    x = 0.1 + 0.8 * torch.rand(8, 3, 6, 6, generator=drawn, dtype=torch.float64)
    before = saliency.pixel_scores(saliency.gradient(build(), x))
    terms = {"k": 6, "epsilon": 0.08, "iterations": 12, "seed": seed}
    papers = saliency.iterative_attack(build(), x, step=0.08 / 16, **terms)
    strong = saliency.strong_attack(build(), x, **terms)
    left = [
        saliency.topk_intersection(before, saliency.pixel_scores(found.maps), 6)
        for found in (papers, strong)
    ]
    assert (left[1] <= left[0]).all()
    assert left[1].mean() < left[0].mean()


def test_an_attack_on_an_image_depends_on_no_other():
    for name in QUICK:
        whole, alone, chunked = run(name), run(name, x=X[2:3]), run(name, chunk=2)
        assert torch.allclose(whole.images[2:3], alone.images, atol=1e-9)
        assert torch.allclose(whole.images, chunked.images, atol=1e-9)


@pytest.mark.parametrize(
    ("method", "options"), [("integrated_gradients", {"steps": 4}), ("smoothgrad", {"samples": 4})]
)
def test_maps_of_many_gradients_are_made_once_a_step(method, options):
    """And are the same in one pass of all images, in passes of two, and of less than one."""

    class Counted(Functional):
        seen = 0

        def forward(self, x):
            self.seen += len(x)
            return super().forward(x)

    found, counts = [], {}
    for iterations in (1, 2):
        for chunk in (20, 8, 3):
            net = build(Counted)
            terms = {"method": method, "options": options, "chunk": chunk, "epsilon": 1e-4}
            found.append(run("iterative_attack", net, iterations=iterations, **terms))
            counts[iterations, chunk] = net.seen
    for same in (found[:3], found[3:]):
        for other in same[1:]:
            assert torch.allclose(other.images, same[0].images, atol=1e-9)
    for chunk in (20, 8):  # an iteration: the gradient, the prediction, the map as it is
        assert counts[2, chunk] - counts[1, chunk] == 5 * (4 + 1 + 4)


def test_a_softplus_gradient_climbs_where_the_true_one_is_zero():
    """A ReLU network is linear in pieces: the gradient through its gradient is zero."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 30), nn.ReLU(), nn.Linear(30, 3)).double()
    x = X.clone().requires_grad_()
    maps = saliency.gradient(net.eval(), x, 1)
    assert float(torch.autograd.grad(maps.abs().sum(), x)[0].abs().max()) == 0
    found = run("iterative_attack", net)
    before = saliency.gradient(net, X)
    top = shares(before).flatten(1).topk(6, 1).values.sum(1)
    assert float((-found.objective - top).mean()) < 0


class Plain(nn.Module):
    """No normalisation: what its rectifiers read is ``size`` times as large, its logits are not."""

    def __init__(self, size, act=torch.relu):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.head, self.act = nn.Linear(6 * 36, 4), act
        with torch.no_grad():
            self.first.weight *= size
            self.first.bias *= size
            self.second.bias *= size
            self.head.weight /= size

    def forward(self, x):
        x = self.act(self.first(x))
        return self.head(self.act(self.second(x)).flatten(1))


@pytest.mark.parametrize("name", ["iterative_attack", "strong_attack"])
@pytest.mark.parametrize("size", [2.0**-14, 2.0**14])
def test_an_attack_is_the_same_however_large_a_nets_numbers_are(name, size):
    """A softplus of one β would be a line where they are small, and ReLU where they are large."""
    plain, other = (Plain(each).double().eval() for each in (1.0, size))
    assert torch.allclose(plain(X), other(X), rtol=1e-12)
    assert torch.equal(run(name, plain).images, run(name, other).images)


def test_the_scale_of_rectifiers():
    """The median over ReLUs of the spread of what they read, on images that are always the same."""
    net, read = Plain(4.0).double().eval(), []
    noted = Plain(4.0, lambda z: (read.append(z.std().item()), torch.relu(z))[1]).double().eval()
    found = rectifier_scale(Net(net), X, (0, 1))
    assert found == rectifier_scale(Net(net), X[:1], (0, 1))
    patches = torch.rand(4, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    noted(nn.functional.interpolate(patches, (6, 6), mode="bilinear").double())
    assert found == pytest.approx(sum(read) / 2)  # of two
    assert rectifier_scale(Net(nn.Flatten()), X, (0, 1)) == 1


@pytest.mark.parametrize("softplus_beta", [2.0, 30.0])
def test_a_smoothed_map_is_attacked_along_its_own_gradient(softplus_beta):
    """Not along that of the attack's softplus, which would leave a defence more than it earns."""
    smooth = Plain(1.0, lambda z: nn.functional.softplus(z, 2.0)).double().eval()
    setting = set_up(
        Plain(1.0).double().eval(), X, "gradient", None, objective="topk", k=6, region=None,
        epsilon=0.05, confidence=0, options={"softplus_beta": 2.0}, bounds=(0, 1), normalise=None,
        chunk=64,
    )  # fmt: skip
    rows, x = torch.arange(len(X)), X.clone().requires_grad_()
    (slope,) = torch.autograd.grad(
        smooth(x).gather(1, setting.target[:, None]).sum(), x, create_graph=True
    )
    (want,) = torch.autograd.grad(setting.want(slope, rows).sum(), x)
    found = _uphill(setting, X, rows, softplus_beta)
    torch.testing.assert_close(found, want, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("method", saliency.METHODS)
def test_every_method_can_be_attacked(method):
    found = run("iterative_attack", method=method, iterations=3)
    assert torch.isfinite(found.maps).all()
    assert repr(found).startswith("Attacked(iterative, topk, ")


def test_a_method_can_be_brought_along():
    def own(model, x, target):
        score = model(x).gather(1, target[:, None]).sum()
        return torch.autograd.grad(score, x, create_graph=True)[0]

    def with_gradients(model, x, target):
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            return own(model, x, target)

    theirs, ours = run("iterative_attack", method=with_gradients), run("iterative_attack")
    assert torch.allclose(theirs.images, ours.images)


class Edge(nn.Module):
    """Any change that is not tiny changes the class."""

    def __init__(self, x):
        super().__init__()
        self.net, self.x = build(Functional), x

    def forward(self, x):
        far = ((x - self.x[: len(x)]).abs().amax((1, 2, 3)) > 1e-3).to(x.dtype)
        logits = self.net(x)
        other = torch.nn.functional.one_hot((logits.argmax(1) + 1) % 4, 4)
        return logits + 1e3 * far[:, None] * other


def test_where_nothing_keeps_the_prediction_it_says_so():
    found = run("random_signs", Edge(X).eval())
    assert not bool(found.found.any())
    assert torch.equal(found.images, X)
    assert "of 5 no perturbation that was tried keeps the prediction" in str(found)


def test_the_confidence_can_be_kept_too():
    net = build()

    def sure(images):
        return net(images).detach().softmax(1).amax(1)

    lost = sure(X) - sure(run("iterative_attack", net).images)
    row = int(lost.argmax())  # the image that an attack makes least sure of
    least = float(sure(X)[row] - lost[row] / 2)
    assert lost[row] > 0.01
    found = run("iterative_attack", net, X[row : row + 1], confidence=least)
    assert float(sure(found.images)) >= least


@pytest.mark.parametrize("name", QUICK)
def test_bad_input(name):
    net = build()
    wrong = (net(X).argmax(1) + 1) % 4

    def refused(match, **options):
        with pytest.raises(CurateError, match=match):
            run(name, net, **options)

    refused("epsilon: 0", epsilon=0)
    refused("k: 37 pixels; a map has 36", k=37)
    refused("already predicts another class for 5 of 5", target=wrong)
    refused("confidence: 0.99", confidence=0.99999999)
    refused("objective: 'beauty'", objective="beauty")
    refused("region: give a bool tensor", objective="region")
    refused("method: 'lime'; choose one of gradient", method="lime")
    refused("options: gradient does not take them", options={"steps": 3})
    refused("maps: NaN in 5 of 5", method=lambda model, x, target: x * float("nan"))
    refused("zero everywhere", method=lambda model, x, target: x * 0)


def test_bad_counts():
    for match, options in [
        ("step: 0", {"step": 0}),
        ("iterations: 0", {"iterations": 0}),
        ("restarts: 0", {"restarts": 0}),
    ]:
        with pytest.raises(CurateError, match=match):
            run("iterative_attack", **options)


@pytest.mark.parametrize("bounds", [(0, 255), (-1, 1)])
def test_pixels_of_another_range_are_attacked_alike(bounds):
    """What is not given is a share of the bounds' range: levels of 0..255 as pixels of 0..1."""
    low, high = bounds
    other, net = low + (high - low) * X, build()

    def scaled(x):
        return (x - low) / (high - low)

    pairs = [(net, X, {}), (net, other, {"bounds": bounds, "normalise": scaled})]
    for attack, options in (
        (saliency.iterative_attack, {"iterations": 6}),
        (saliency.strong_attack, {"iterations": 6}),
        (saliency.random_signs, {}),
        (saliency.black_box_step, {"queries": 4}),
    ):
        one, two = (attack(*pair[:2], k=6, **options, **pair[2]).images for pair in pairs)
        torch.testing.assert_close(scaled(two), one, rtol=1e-9, atol=1e-9)
        assert 0 < float((one - X).abs().max()) <= 8 / 255 + 1e-12
    for method in ("gradient", "smoothgrad"):
        audits = [
            saliency.fragility(*pair[:2], method, k=6, iterations=3, **pair[2]).table
            for pair in pairs
        ]
        for name in audits[0].column_names:
            assert audits[0][name].to_pylist() == pytest.approx(audits[1][name].to_pylist())
        certified = [saliency.certify_pixels(*pair[:2], method, **pair[2]).pixels for pair in pairs]
        assert (certified[0] == certified[1]).mean() > 0.99
    curves = [
        saliency.fragility_curve(
            *pair[:2], ["gradient"], k=6, iterations=2, objectives=["topk"], **pair[2]
        ).table["mean"]
        for pair in pairs
    ]
    assert curves[0].to_pylist() == pytest.approx(curves[1].to_pylist(), nan_ok=True)
