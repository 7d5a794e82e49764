"""fixup_ on networks built by hand: what it finds, draws, inserts and refuses."""

import copy
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import relu

from curate.nn import FixupBias, FixupError, FixupScale, fixup_
from tests.nn.fixup.nets import GatedBlock, Net, PostBlock, PreBlock, ValueBlock, images


def roles(report):
    return {row.module: row.role for row in report.rows}


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


@pytest.mark.parametrize("blocks", [1, 2, 9])
def test_two_layer_branches(blocks):
    torch.manual_seed(0)
    model = Net(*(PostBlock(24) for _ in range(blocks)), width=24)
    report = fixup_(model, verbose=False)
    assert report.num_branches == blocks
    expected = math.sqrt(2 / (24 * 9)) * blocks**-0.5
    for index, (branch, block) in enumerate(zip(report.branches, model.blocks, strict=True)):
        assert branch.name == f"blocks.{index}"
        assert branch.layers == (f"blocks.{index}.conv1", f"blocks.{index}.conv2")
        assert branch.num_layers == 2
        assert report.stds()[branch.layers[0]] == pytest.approx(expected, rel=1e-12)
        tolerance = 5 / math.sqrt(2 * 24 * 24 * 9)
        assert block.conv1.weight.std().item() == pytest.approx(expected, rel=tolerance)
        assert not block.conv2.weight.any()
    assert report.classifiers == ["head"]
    assert not model.head.weight.any()
    assert not model.head.bias.any()
    assert model.stem.weight.std().item() == pytest.approx(math.sqrt(2 / (24 * 9)), rel=0.15)
    # bias before conv1, after it, before conv2, scale, bias after: and of stem and head
    assert report.scalars == 5 * blocks + 2
    assert count(model, FixupScale) == blocks
    assert count(model, nn.BatchNorm2d) == 0


def test_every_block_is_the_identity_and_the_network_zero():
    model = Net(*(PostBlock(6) for _ in range(3)))
    fixup_(model, verbose=False)
    x = torch.rand(2, 6, 5, 5)
    for block in model.blocks:
        assert torch.equal(block(x), x)
    assert not model(images()).any()


def test_scalars_act_where_the_paper_puts_them():
    model = Net(PostBlock(6)).double()
    fixup_(model, verbose=False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    s, x = model.state_dict(), images().double()
    conv = nn.functional.conv2d
    h = relu(conv(x, s["stem.weight"], s["stem.bias"], padding=1) + s["stem.fixup_after.bias"])
    b = {k.removeprefix("blocks.0."): v for k, v in s.items() if k.startswith("blocks.0.")}
    inner = conv(h + b["conv1.fixup_before.bias"], b["conv1.weight"], padding=1)
    inner = relu(inner + b["conv1.fixup_after.bias"]) + b["conv2.fixup_before.bias"]
    inner = conv(inner, b["conv2.weight"], padding=1)
    inner = inner * b["conv2.fixup_scale.scale"] + b["conv2.fixup_after.bias"]
    h = relu(h + inner).mean((2, 3)) + s["head.fixup_before.bias"]
    expected = h @ s["head.weight"].T + s["head.bias"]
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


def test_preactivation_and_three_layers():
    model = Net(PreBlock(6), PreBlock(6), PreBlock(6))
    report = fixup_(model, verbose=False)
    assert [b.num_layers for b in report.branches] == [3, 3, 3]
    expected = math.sqrt(2 / 6) * 3**-0.25
    assert report.stds()["blocks.1.convs.1"] == pytest.approx(expected, rel=1e-12)
    # a bias takes the place of the norm that follows no layer; the others are after their layer
    assert isinstance(model.blocks[1].norms[0], FixupBias)
    assert isinstance(model.blocks[1].norms[1], nn.Identity)
    assert hasattr(model.blocks[1].convs[0], "fixup_after")
    assert not hasattr(model.blocks[1].convs[2], "fixup_after")  # no activation after the sum
    x = torch.randn(2, 6, 4, 4)
    assert torch.equal(model.blocks(x), x)


def test_gates_and_shortcuts_are_told_from_branches():
    model = Net(PostBlock(6), GatedBlock(6, 10), outputs=10)
    report = fixup_(model, verbose=False)
    found = roles(report)
    assert found["blocks.1.squeeze"] == found["blocks.1.excite"] == "gate"
    assert found["blocks.1.project"] == "shortcut"
    assert found["blocks.1.conv2"] == "branch, last"
    assert report.branches[1].num_layers == 2
    assert model.blocks[1].excite.weight.any()
    # the branch and its shortcut read the same tensor through the same bias, as in the paper
    assert model.blocks[1].project.fixup_before is model.blocks[1].conv1.fixup_before
    x = torch.rand(2, 6, 5, 5)
    assert torch.equal(model.blocks[1](x), relu(model.blocks[1].project(x)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_each_branch_has_its_own_m(lengths):
    """Random networks: the standard deviations against the rule, branch by branch."""

    class Branch(nn.Module):
        def __init__(self, length):
            super().__init__()
            self.f = nn.Sequential(*(nn.Linear(8, 8) for _ in range(length)))

        def forward(self, x):
            return x + self.f(x)

    model = nn.Sequential(nn.Linear(3, 8), *(Branch(n) for n in lengths), nn.Linear(8, 2))
    report = fixup_(model, verbose=False)
    assert [branch.num_layers for branch in report.branches] == lengths
    stds = report.stds()
    for index, length in enumerate(lengths):
        for layer in range(length):
            factor = 0 if layer == length - 1 else len(lengths) ** (-1 / (2 * length - 2))
            expected = math.sqrt(2 / 8) * factor
            assert stds[f"{index + 1}.f.{layer}"] == pytest.approx(expected)
    assert report.classifiers == [str(len(lengths) + 1)]


def test_nested_and_parallel_branches():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            self.c, self.d = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            y = x + self.b(relu(self.a(x)))  # inside f
            return x + self.d(relu(self.c(y)))

    report = fixup_(Two(), verbose=False)
    assert [b.layers for b in report.branches] == [("a", "b"), ("c", "d")]

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return x + self.a(x) + self.c(relu(self.b(x)))

    report = fixup_(Sum(), verbose=False)
    assert {b.layers for b in report.branches} == {("a",), ("b", "c")}


def test_twice_is_as_once():
    model = Net(PostBlock(6), PreBlock(6), GatedBlock(6, 8), outputs=8)
    first = fixup_(model, verbose=False, generator=torch.Generator().manual_seed(0))
    once = {name: value.clone() for name, value in model.state_dict().items()}
    nn.init.ones_(model.blocks[0].conv1.fixup_before.bias)
    second = fixup_(model, verbose=False, generator=torch.Generator().manual_seed(0))
    twice = model.state_dict()
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)
    assert first.branches == second.branches
    assert first.scalars == second.scalars
    hooks = Counter(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    assert max(hooks) <= 2


def test_on_the_papers_own_networks_nothing_is_inserted():
    from curate.nn import fixup_resnet_cifar

    model = fixup_resnet_cifar(20)
    names = list(model.state_dict())
    report = fixup_(model, verbose=False)
    assert report.num_branches == 9
    assert list(model.state_dict()) == names


def test_dry_run_changes_nothing():
    model = Net(PostBlock(6))
    before = copy.deepcopy(model.state_dict())
    report = fixup_(model, dry_run=True, verbose=False)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not report.applied
    assert report.stds() == fixup_(model, verbose=False).stds()


def test_norm_keep_and_error():
    model = Net(PostBlock(6))
    with pytest.raises(FixupError, match=r"2 normalisations.*'blocks.0.norm1'"):
        fixup_(model, norm="error", verbose=False)
    fixup_(model, norm="keep", verbose=False)
    assert count(model, nn.BatchNorm2d) == 2
    fixup_(Net(PostBlock(6, norm=lambda width: nn.Identity())), norm="error", verbose=False)


def test_no_scalars():
    model = Net(PostBlock(6))
    assert fixup_(model, scalars=False, verbose=False).scalars == 0
    assert set(model.state_dict()) == {
        "stem.weight", "stem.bias", "blocks.0.conv1.weight", "blocks.0.conv2.weight",
        "head.weight", "head.bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    "given_",
    [
        ["blocks.*"],
        ["blocks.0", "blocks.1"],
        [("blocks.0.conv1", "blocks.0.conv2"), ["blocks.1.conv1", "blocks.1.conv2"]],
    ],
)
def test_branches_that_are_named(given_):
    found, named = Net(PostBlock(6), PostBlock(6)), Net(PostBlock(6), PostBlock(6))
    report = fixup_(found, verbose=False)
    explicit = fixup_(named, branches=given_, verbose=False)
    assert [b.layers for b in explicit.branches] == [b.layers for b in report.branches]
    assert explicit.stds() == report.stds()
    assert set(named.state_dict()) >= {k for k in found.state_dict() if "stem" not in k}
    assert not named(images()).any()


def test_branches_given_as_modules():
    model = Net(PostBlock(6), PostBlock(6))
    report = fixup_(model, branches=[model.blocks[1], [model.blocks[0].conv1]], verbose=False)
    assert [b.layers for b in report.branches] == [
        ("blocks.1.conv1", "blocks.1.conv2"),
        ("blocks.0.conv1",),
    ]
    assert roles(report)["blocks.0.conv2"] == "plain"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (["nothing"], "no module 'nothing'"),
        (["blocks.*.nothing"], "no module matches"),
        (["blocks.0", "blocks.0.conv1"], "'blocks.0.conv1' is in two branches"),
        (["blocks.0.norm1"], "holds no convolution"),
        ([nn.Linear(2, 2)], "Linear is no module of the model"),
    ],
)
def test_branches_that_cannot_be(given_, message):
    with pytest.raises(FixupError, match=message):
        fixup_(Net(PostBlock(6)), branches=given_, verbose=False)


def test_errors_name_the_modules():
    class Either(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.left(x) + self.right(x)

    with pytest.raises(FixupError, match=r"\['left'\] and \['right'\].*branches="):
        fixup_(Either(), verbose=False)
    with pytest.raises(FixupError, match=r"no residual branch among its 2 layers \('0', '1'\)"):
        fixup_(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), verbose=False)
    with pytest.raises(FixupError, match=r"'first', 'second' in 'the model' \(ValueBlock\)"):
        fixup_(ValueBlock(4), verbose=False)

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return x + self.b(relu(nn.functional.linear(x, self.a.weight)))

    with pytest.raises(FixupError, match="'a' hold weights but are not called"):
        fixup_(Hidden(), verbose=False)
    normed = Net(PostBlock(6))
    nn.utils.parametrizations.weight_norm(normed.blocks[0].conv1)
    with pytest.raises(FixupError, match="'blocks.0.conv1' is parametrized"):
        fixup_(normed, verbose=False)
    for name, value in (("rule", "best"), ("norm", "drop")):
        with pytest.raises(FixupError, match=f"{name}: '{value}'"):
            fixup_(Net(PostBlock(6)), verbose=False, **{name: value})


def test_a_run_replaces_the_trace():
    traced, ran = (Net(PostBlock(6), PreBlock(6), GatedBlock(6, 8), outputs=8) for _ in range(2))
    first = fixup_(traced, verbose=False)
    ran.train()
    statistics = ran.blocks[0].norm1.running_mean.clone()
    second = fixup_(ran, example_inputs=images(), norm="keep", dry_run=True, verbose=False)
    assert torch.equal(ran.blocks[0].norm1.running_mean, statistics)
    assert ran.training
    fixup_(ran, example_inputs=images(), verbose=False)
    assert [b.layers for b in first.branches] == [b.layers for b in second.branches]
    assert first.stds() == second.stds()
    assert set(traced.state_dict()) == set(ran.state_dict())
    model = nn.Sequential(nn.Linear(3, 4), ValueBlock(4), ValueBlock(4), nn.Linear(4, 2))
    report = fixup_(model, example_inputs=(torch.randn(2, 3),), verbose=False)
    assert [b.layers for b in report.branches] == [
        ("1.first", "1.second"), ("2.first", "2.second")
    ]  # fmt: skip
    assert report.classifiers == ["3"]


def test_copies_states_and_gradients():
    model = Net(PostBlock(6), PostBlock(6))
    fixup_(model, verbose=False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    twin = copy.deepcopy(model)
    other = Net(PostBlock(6), PostBlock(6))
    fixup_(other, verbose=False)
    other.load_state_dict(model.state_dict())
    x = images()
    assert torch.equal(model(x), twin(x))
    assert torch.equal(model(x), other(x))
    nn.init.constant_(twin.blocks[0].conv1.fixup_before.bias, 9.0)
    assert not torch.equal(model(x), twin(x))
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_meta_then_memory():
    with torch.device("meta"):
        model = Net(PostBlock(6), PostBlock(6))
        fixup_(model, verbose=False)
    assert all(p.is_meta for p in model.parameters())
    model = model.to_empty(device="cpu")
    fixup_(model, verbose=False)
    assert not model(images()).any()
    assert model.blocks[0].conv1.weight.std() > 0


def test_half_and_double_precision():
    for dtype in (torch.bfloat16, torch.float64):
        model = Net(PostBlock(6)).to(dtype)
        fixup_(model, verbose=False)
        assert {p.dtype for p in model.parameters()} == {dtype}


def test_compiled_is_eager():
    model = Net(PostBlock(6), PreBlock(6))
    fixup_(model, verbose=False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x = images()
    torch.testing.assert_close(compiled(x), model(x))
    compiled(x).sum().backward()
    assert model.blocks[0].conv1.fixup_before.bias.grad is not None


def test_report_prints_like_modules_in_one_line(capsys):
    model = Net(*(PostBlock(6) for _ in range(30)))
    report = fixup_(model)
    printed = capsys.readouterr().out
    assert "30 residual branches" in printed
    assert "blocks.*.conv1" in printed
    assert printed.count("blocks.") == len(report.grouped()) - 2  # all but stem and head


def test_time_grows_with_the_depth_not_with_its_square():
    import time

    def seconds(blocks):
        model = Net(*(PostBlock(2) for _ in range(blocks)), width=2)
        start = time.process_time()
        report = fixup_(model, verbose=False)
        assert report.num_branches == blocks
        assert report.scalars == 5 * blocks + 2
        return time.process_time() - start

    few, many = seconds(100), seconds(1600)
    assert many < 16 * 4 * few  # quadratic: 256 times; benchmarks/fixup.py has 10,000 layers
