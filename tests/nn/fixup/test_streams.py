"""What the stream of a transformer begins with, masks of its attention, branches side by side."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softmax

from curate.nn import diagnose, fixup_
from tests.nn.fixup.nets import losses_of

WIDTH = 16


class Attention(nn.Module):
    """One head, with a mask that is added to the scores."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-1, -2) / WIDTH**0.5
        if mask is not None:
            scores = scores + mask
        return self.out(softmax(scores, -1) @ v)


def feed_forward():
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.GELU(), nn.Linear(32, WIDTH))


class Patches(nn.Module):
    """A vision transformer that classifies by a class token."""

    def __init__(self, size=0.0, blocks=2):
        super().__init__()
        self.cls = nn.Parameter(torch.randn(1, 1, WIDTH) * size)
        self.positions = nn.Parameter(torch.zeros(1, 5, WIDTH))
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)
        self.attention = nn.ModuleList(Attention() for _ in range(blocks))
        self.mlp = nn.ModuleList(feed_forward() for _ in range(blocks))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2 * blocks + 1))
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for i, (attention, mlp) in enumerate(zip(self.attention, self.mlp, strict=True)):
            x = x + attention(self.norms[2 * i](x))
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x)[:, 0])


def learned(model, inputs, labels, steps=60):
    """The loss at the end, over the one at the start."""
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = losses_of(model, inputs, labels, steps, adam)
    return losses[-1] / losses[0]


@pytest.mark.parametrize("read", ["traced", "run"])
@pytest.mark.parametrize("size", [0.0, 0.02])
def test_a_class_token_that_begins_at_nothing_is_raised_and_learns(size, read):
    torch.manual_seed(0)
    model = Patches(size)
    batch = torch.randn(8, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0, 0, 1, 0])
    example = batch[0] if read == "run" else None
    report = fixup_(model, example_inputs=example, verbose=False)
    assert [r.init for r in report.rows if r.module == "cls"] == ["rms 1"]
    assert report.num_branches == 4
    assert model.cls.square().mean().sqrt().item() == pytest.approx(1.0, abs=0.5)
    assert diagnose(model, batch, lr=0.05).healthy
    assert learned(model, *batch) < 0.5


def test_a_class_token_of_zeros_would_not_learn():
    torch.manual_seed(0)
    model = Patches()
    fixup_(model, verbose=False)
    nn.init.zeros_(model.cls)
    assert not diagnose(
        model, (torch.randn(8, 3, 8, 8), torch.tensor([0, 1, 2, 3, 0, 0, 1, 0])), lr=0.05
    ).healthy


def test_a_class_token_of_a_fair_size_and_positions_are_left():
    model = Patches(0.9)
    token = model.cls.clone()
    report = fixup_(model, verbose=False)
    assert torch.equal(model.cls, token)
    assert not model.positions.any()
    assert not [r for r in report.rows if r.role == "embedding"]


@pytest.mark.parametrize("size", [4, 8])
def test_patches_have_a_mean_square_of_one(size):
    torch.manual_seed(0)
    model = Patches()
    model.patches = nn.Conv2d(3, WIDTH, size, size)
    report = fixup_(model, verbose=False)
    assert [r.init for r in report.rows if r.module == "patches"] == ["lecun"]
    out = model.patches(torch.randn(64, 3, 8, 8))
    assert out.square().mean().item() == pytest.approx(1.0, rel=0.2)


class Masked(nn.Module):
    """One mask, made once, for the attention of every block, as in Bloom."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, WIDTH)
        self.attention = nn.ModuleList(Attention() for _ in range(3))
        self.mlp = nn.ModuleList(feed_forward() for _ in range(3))
        self.head = nn.Linear(WIDTH, 20)

    def forward(self, words, mask=None):
        x = self.words(words)
        if mask is None:
            steps = torch.arange(words.shape[1])
            mask = torch.where(steps[:, None] < steps, -1e9, 0.0)
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            x = x + attention(x, mask)
            x = x + mlp(x)
        return self.head(x)


@pytest.mark.parametrize("given", [False, True])
def test_a_mask_that_is_added_to_scores_is_no_residual(given):
    words, mask = torch.arange(8).reshape(2, 4), torch.zeros(4, 4)
    report = fixup_(Masked(), example_inputs=(words, mask) if given else words, verbose=False)
    assert [b.num_layers for b in report.branches] == [4, 2] * 3
    assert all(len(b.last) == 1 for b in report.branches)


class Parallel(nn.Module):
    """x + attention(norm(x)) + mlp(norm(x)), as in GPT-NeoX, GPT-J and Falcon."""

    def __init__(self, shared, order):
        super().__init__()
        self.attention, self.mlp, self.order = Attention(), feed_forward(), order
        self.first = nn.LayerNorm(WIDTH)
        self.second = self.first if shared else nn.LayerNorm(WIDTH)

    def forward(self, x):
        read = self.first(x)
        a, m = self.attention(read), self.mlp(read if self.first is self.second else self.second(x))
        if self.order == "outer":
            return a + m + x
        return x + (m + a) if self.order == "inner" else x + a + m


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("order", ["outer", "inner", "x first"])
def test_branches_side_by_side_are_two(shared, order):
    net = nn.Sequential(*(Parallel(shared, order) for _ in range(2)), nn.Linear(WIDTH, 3))
    report = fixup_(net, verbose=False)
    assert sorted(b.num_layers for b in report.branches) == [2, 2, 4, 4]
    assert all(len(b.last) == 1 and not b.shortcut for b in report.branches)
    x = torch.randn(2, 5, WIDTH)
    assert torch.equal(net[:2](x), x)


def test_a_projection_beside_a_branch_is_still_a_shortcut():
    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 12)
            self.project = nn.Linear(8, 12)

        def forward(self, x):
            return self.second(torch.relu(self.first(x))) + self.project(x)

    report = fixup_(nn.Sequential(Projected(), nn.Linear(12, 2)), verbose=False)
    assert report.branches[0].shortcut == ("0.project",)


class Ghost(nn.Module):
    """Half of the channels by a layer, the other half cheaply out of them (GhostNet)."""

    def __init__(self, activation):
        super().__init__()
        self.first, self.cheap = nn.Linear(8, 4), nn.Linear(4, 4)
        self.activation = nn.ReLU() if activation else nn.Identity()

    def forward(self, x):
        half = self.activation(self.first(x))
        return torch.cat([half, self.activation(self.cheap(half))], -1)


class Ghosts(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = Ghost(True), Ghost(False)

    def forward(self, x):
        return x + self.two(self.one(x))


class Halves(nn.Module):
    """A branch whose layers of different depth are concatenated."""

    def __init__(self):
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
        self.flat = nn.Linear(8, 4)

    def forward(self, x):
        return x + torch.cat([self.deep(x), self.flat(x)], -1)


@pytest.mark.parametrize(
    ("block", "last"), [(Ghosts, ("two.first",)), (Halves, ("deep.2", "flat"))]
)
def test_a_branch_that_concatenates_is_nothing_at_first(block, last):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 8), *(block() for _ in range(3)), nn.Linear(8, 2))
    report = fixup_(net, verbose=False)
    assert set(report.branches[0].last) == {f"1.{name}" for name in last}
    x = torch.randn(4, 8)
    assert torch.equal(net[1:4](x), x)
    assert diagnose(net, (x, torch.tensor([0, 1, 1, 1])), lr=0.05).healthy


def test_feed_forward_layers_beside_torchs_attention_are_xavier_too():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
            self.mlp = feed_forward()

        def forward(self, x):
            x = x + self.attention(x, x, x, need_weights=False)[0]
            return x + self.mlp(x)

    report = fixup_(nn.Sequential(Block(), Block()), verbose=False)
    assert [b.standard for b in report.branches] == ["xavier"] * 4


def test_rows_that_a_classifier_reads_have_a_length_of_8():
    """A class token; patches beside one, which it reads by attention, have numbers of size 1."""
    model = Patches()
    model.patches, model.cls = nn.Conv2d(3, 256, 4, 4), nn.Parameter(torch.zeros(1, 1, 256))
    report = fixup_(model, verbose=False, dry_run=True)
    assert [r.init for r in report.rows if r.module == "cls"] == ["rms 0.5"]
    assert report.stds()["patches"] == pytest.approx(1 / 48**0.5)


def test_branches_beside_a_wide_class_token_begin_small():
    class Wide(nn.Module):
        def __init__(self, token):
            super().__init__()
            self.cls = nn.Parameter(torch.zeros(1, 1, 256)) if token else None
            self.patches, self.head = nn.Conv2d(3, 256, 4, 4), nn.Linear(256, 3)
            self.norm = nn.LayerNorm(256)
            self.attention = nn.MultiheadAttention(256, 4, batch_first=True)
            self.first, self.second = nn.Linear(256, 512), nn.Linear(512, 256)

        def forward(self, images):
            x = self.patches(images).flatten(2).transpose(1, 2)
            if self.cls is not None:
                x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1)
            read = self.norm(x)
            x = x + self.attention(read, read, read)[0]
            x = x + self.second(torch.relu(self.first(x)))
            return self.head(x[:, 0] if self.cls is not None else x.mean(1))

    for token, size in [(True, 0.5), (False, 1.0)]:
        model = Wide(token)
        fixup_(model, verbose=False)
        for module in (model.attention, model.second):
            assert module.fixup_scale.scale.item() == size
        model.second.fixup_scale.scale.data.fill_(3.0)
        fixup_(model, verbose=False)
        assert model.second.fixup_scale.scale.item() == size


@pytest.mark.parametrize("example", [None, torch.randn(2, 8, 6, 6)])
def test_a_layer_scale_of_a_branch_without_layers_is_zero(example):
    """PoolFormer: x + g (pool(x) - x) would only blur x, if g were 1."""

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(1e-5 * torch.ones(8))

        def forward(self, x):
            return x * self.gamma.view(8, 1, 1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.pool = nn.GroupNorm(1, 8), nn.AvgPool2d(3, 1, 1)
            self.one, self.two = Scale(), Scale()
            self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

        def forward(self, x):
            read = self.norm(x)
            x = x + self.one(self.pool(read) - read)
            return x + self.two(self.second(torch.relu(self.first(x))))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks, self.head = nn.Sequential(Block(), Block()), nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.blocks(x).mean((2, 3)))

    net = Net()
    report = fixup_(net, example_inputs=example, verbose=False)
    made = {r.module: r.init for r in report.rows if r.role == "layer scale"}
    assert made == {
        f"blocks.{k}.{n}.gamma": i for k in (0, 1) for n, i in [("one", "zero"), ("two", "one")]
    }
    assert not net.blocks[0].one.gamma.any()
    assert bool((net.blocks[1].two.gamma == 1).all())
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(net.blocks(x), x)
