"""On another device than the CPU all gives the same, and nothing meets a tensor of the CPU."""

import numpy as np
import pytest
import torch
from torch import nn

from curate import saliency
from curate.report import save_fragility
from curate.saliency.methods import METHODS
from curate.scores import SingleInfluence
from tests.saliency.elsewhere import DEVICE, second_device
from tests.saliency.nets import InPlace, build, images

K = 5
OPTIONS = {"integrated_gradients": {"steps": 3}, "smoothgrad": {"samples": 3}}
MEAN_STD = ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))


@pytest.fixture
def there(monkeypatch):
    # autocast is asked by the kind of device, and knows of no "meta"
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    with second_device():
        yield


def test_the_other_device_refuses_what_a_gpu_refuses(there):
    x, y = torch.ones(3), torch.ones(3, device=DEVICE)
    with pytest.raises(RuntimeError, match="add: tensors of two devices"):
        x + y
    with pytest.raises(RuntimeError, match="index: tensors of two devices"):
        x[torch.tensor([0, 2], device=DEVICE)]
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        y.numpy()
    assert (y + 1).device == DEVICE
    assert (x + y.cpu()).tolist() == [2, 2, 2]


@pytest.mark.parametrize("method", METHODS)
def test_maps_and_attacks(method, there):
    net, x = build(InPlace), images(3)
    other, y = build(InPlace).to(DEVICE), x.to(DEVICE)
    maps = getattr(saliency, method)(net, x)
    same(getattr(saliency, method)(other, y), maps)
    terms = {"k": K, "iterations": 3, "options": OPTIONS.get(method), "normalise": MEAN_STD}
    for attack in (saliency.iterative_attack, saliency.strong_attack):
        here, found = attack(net, x, method, **terms), attack(other, y, method, **terms)
        same(found.images, here.images)
        same(found.maps, here.maps)
    terms.pop("iterations")
    here, found = (
        saliency.black_box_step(*pair, method, **terms) for pair in ((net, x), (other, y))
    )
    same(found.images, here.images)


@pytest.mark.parametrize("objective", ["centre", "region", "target"])
def test_objectives(objective, there):
    region = torch.zeros(6, 6, dtype=torch.bool)
    region[:3] = True
    terms = {"k": K, "iterations": 3, "objective": objective, "region": region}
    here = saliency.iterative_attack(build(), images(), **terms)
    found = saliency.iterative_attack(build().to(DEVICE), images().to(DEVICE), **terms)
    same(found.objective, here.objective)


def test_an_audit_its_report_and_its_curve(there, tmp_path):
    net, x = build(InPlace), images()
    other, y = build(InPlace).to(DEVICE), x.to(DEVICE)
    labels = net(x).argmax(1)
    terms = {"k": K, "iterations": 2, "normalise": None}
    here = saliency.fragility(net, x, **terms)
    found = saliency.fragility(other, y, labels=labels, **terms)
    assert found.details.equals(here.details)
    assert save_fragility(tmp_path, found, title="elsewhere").exists()
    found.plot()
    here, found = (
        saliency.fragility_curve(*pair, ["gradient"], epsilons=[0.02], **terms)
        for pair in ((net, x), (other, y))
    )
    assert found.table.equals(here.table)


@pytest.mark.parametrize("device", ["cpu", DEVICE])
def test_influences(device, there):
    net, head, x = build(InPlace), nn.Linear(4, 3).double(), images(6)
    given = SingleInfluence(head, net(x).detach().to(device), torch.arange(6) % 3, damping=0.01)
    terms = {"labels": torch.tensor([0, 1, 2]), "k": 2, "epsilon": 0.02, "iterations": 2}
    here = saliency.influence_attack(net, given, x[:3], **terms)
    found = saliency.influence_attack(net.to(DEVICE), given, x[:3].to(DEVICE), **terms)
    same(found.images, here.images)
    np.testing.assert_array_equal(found.table["found"], here.table["found"])


def same(there, here):
    assert there.device == DEVICE
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=0)
