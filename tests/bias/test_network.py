"""The small network: it learns what only fine detail tells, and resumes where it stopped."""

import numpy as np
import pytest
import torch

from curate.bias import Source, name_that_dataset, train_network
from curate.bias.classifiers.network import _cropped, build_network, moments, prepared
from curate.errors import CurateError


def textures(n, seed):
    """Grey noise of one spread; in class 1 neighbours along a row are alike."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, 3, 24, 25))
    y = np.arange(n) % 2
    smooth = (noise[..., 1:] + noise[..., :-1]) / 2**0.5
    x = np.where(y[:, None, None, None] == 1, smooth, noise[..., 1:])
    images = torch.from_numpy((128 + 40 * x).clip(0, 255).astype(np.uint8))
    return images, torch.from_numpy(y)


def test_it_learns_what_neighbouring_pixels_tell():
    images, y = textures(256, seed=0)
    network = train_network(images, y, 2, epochs=6, seed=0)
    new, labels = textures(200, seed=1)
    scores = network.scores(new)
    assert (scores.argmax(1) == labels).double().mean() > 0.9
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(200), atol=1e-3, rtol=0)


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_one_alone():
    images, y = textures(32, seed=0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train_network(images, y, 2, epochs=1, seed=1).scores(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(train_network(images, y, 2, epochs=1, seed=1).scores(images), first)
    assert not torch.equal(train_network(images, y, 2, epochs=1, seed=2).scores(images), first)


def test_stopped_and_resumed_is_as_never_stopped(tmp_path):
    images, y = textures(70, seed=0)
    whole = train_network(images, y, 2, epochs=3, seed=0).scores(images)

    def stop(done, epochs):
        if done == 2:
            raise KeyboardInterrupt

    path = tmp_path / "network.pt"
    with pytest.raises(KeyboardInterrupt):
        train_network(images, y, 2, epochs=3, seed=0, checkpoint=path, on_progress=stop)
    seen = []
    resumed = train_network(
        images, y, 2, epochs=3, seed=0, checkpoint=path, on_progress=lambda *each: seen.append(each)
    )
    assert seen == [(3, 3)]
    assert torch.equal(resumed.scores(images), whole)
    with pytest.raises(CurateError, match="other images or settings"):
        train_network(images, y, 2, epochs=3, seed=1, checkpoint=path)


def test_crops_are_windows_of_the_images_and_half_are_mirrored():
    images = torch.arange(24 * 32).view(1, 1, 24, 32).expand(400, 3, 24, 32)
    crops = _cropped(images, torch.Generator().manual_seed(0))
    assert crops.shape == (400, 3, 18, 24)
    down = crops[:, :, 1:] - crops[:, :, :-1]
    assert (down == 32).all()
    across = (crops[..., 1:] - crops[..., :-1]).flatten(1)
    mirrored = across[:, 0] == -1
    assert (across.abs() == 1).all()
    assert 160 < mirrored.sum() < 240  # 200 ± 4 standard errors
    starts = crops[~mirrored][:, 0, 0, 0]
    assert set((starts // 32).tolist()) == set(range(7))  # every top
    assert set((starts % 32).tolist()) == set(range(9))  # every left


def test_moments_are_those_of_all_pixels():
    images, _ = textures(1500, seed=3)  # more than one batch
    mean, std = moments(images)
    values = images.double()
    torch.testing.assert_close(mean.flatten().double(), values.mean((0, 2, 3)))
    torch.testing.assert_close(
        std.flatten().double(), values.std((0, 2, 3), unbiased=False), rtol=1e-4, atol=0
    )
    flat = torch.full((4, 3, 16, 16), 7, dtype=torch.uint8)
    assert torch.isfinite(prepared(flat, *moments(flat))).all()


def test_it_sees_every_pixel_before_it_strides():
    network = build_network(12, torch.Generator().manual_seed(0))
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 12)
    assert network[0](torch.zeros(1, 3, 64, 64)).shape[2:] == (64, 64)
    assert sum(each.numel() for each in network.parameters()) < 1_000_000


def test_the_game_with_the_network(monkeypatch):
    import curate.bias.classifiers.fitting as fitting

    def short(x, y, classes, seed):
        return train_network(x, y, classes, epochs=6, seed=seed)

    monkeypatch.setattr(fitting, "train_network", short)
    images, y = textures(220, seed=0)
    sources = [
        Source(name, np.arange(110), pixels=images[y == k])
        for k, name in enumerate(("rough", "even"))
    ]
    found = name_that_dataset(
        sources, classifier="network", train_size=70, test_size=30, folds=2, controls=False
    )
    assert found.accuracy > 0.8
    assert found.p_value < 0.01
    assert len(found.curve) == 0
    assert len(found.probabilities) == 220


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.zeros(4, 3, 16, 16), 4),
        (torch.zeros(4, 1, 16, 16, dtype=torch.uint8), 4),
        (torch.zeros(4, 3, 8, 16, dtype=torch.uint8), 4),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), 1),
        (torch.zeros(4, 3, 16, 16, dtype=torch.uint8), 3),
    ],
)
def test_what_it_refuses(images, labels):
    with pytest.raises(CurateError, match="images:"):
        train_network(images, torch.zeros(labels).long(), 2)
