"""Networks as they are met: tied weights, weights made anew, LayerScale, attention, dead starts."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from curate.nn import FixupError, diagnose, fixup_
from tests.nn.fixup.nets import PostBlock


class TiedModel(nn.Module):
    """Four branches between an embedding and a classifier that may share its weight."""

    def __init__(self, tied=True):
        super().__init__()
        self.emb = nn.Embedding(50, 16)
        self.f1 = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.f2 = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.head = nn.Linear(16, 50, bias=False)
        if tied:
            self.head.weight = self.emb.weight

    def forward(self, tokens):
        x = self.emb(tokens)
        for a, b in zip(self.f1, self.f2, strict=True):
            x = x + b(torch.relu(a(x)))
        return self.head(x)


def test_a_classifier_tied_to_the_embedding_is_left_and_learns():
    torch.manual_seed(0)
    model = TiedModel()
    embedding = model.emb.weight.clone()
    report = fixup_(model, verbose=False)
    assert torch.equal(model.emb.weight, embedding)
    assert [r.init for r in report.rows if r.module == "head"] == ["left, tied to emb"]
    tokens = torch.arange(50)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss = cross_entropy(model(tokens), tokens.flip(0))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2
    assert fixup_(TiedModel(tied=False), verbose=False).classifiers == ["head"]


def test_a_weight_in_a_branch_that_something_else_holds_is_refused():
    model = TiedModel()
    model.f2[1].weight = model.f1[0].weight
    with pytest.raises(FixupError, match=r"f1.0.*f2.1|f2.1.*f1.0"):
        fixup_(model, verbose=False)


@pytest.mark.parametrize("wrap", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore")
def test_weights_made_by_hooks_are_refused(wrap):
    model = TiedModel(tied=False)
    wrap(model.f2[2])
    with pytest.raises(FixupError, match=r"f2\.2.*makes the weight"):
        fixup_(model, verbose=False)


class StandardisedConv(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / weight.std((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight, self.bias)


class PaddedConv(nn.Conv2d):
    """Pads by itself, and uses its weight as it is."""

    def forward(self, x):
        return self._conv_forward(nn.functional.pad(x, (0, 0, 0, 0)), self.weight, self.bias)


@pytest.mark.parametrize("kind", [StandardisedConv, PaddedConv])
def test_convolutions_with_a_forward_of_their_own(kind):
    block = PostBlock(8)
    block.conv2 = kind(8, 8, 3, padding=1, bias=False)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), block, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(8, 2))  # fmt: skip
    if kind is PaddedConv:
        assert fixup_(net, verbose=False).num_branches == 1
    else:
        with pytest.raises(FixupError, match=r"1\.conv2.*StandardisedConv"):
            fixup_(net, verbose=False)


class OwnLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 16))

    def forward(self, x):
        return x @ self.weight.T


def test_modules_with_a_weight_of_their_own_are_named():
    model = TiedModel(tied=False)
    model.f2[3] = OwnLinear()
    with pytest.raises(FixupError, match=r"f2\.3.*OwnLinear"):
        fixup_(model, verbose=False)


class OwnKernel(nn.Module):
    """The same under another name, and not used as it is."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(16, 16))

    def forward(self, x):
        return nn.functional.linear(x, (self.kernel * 0.5).t())


@pytest.mark.parametrize("read", ["traced", "run"])
def test_weights_of_any_name_that_no_layer_holds_are_named(read):
    model = TiedModel(tied=False)
    model.f2[3] = OwnKernel()
    example = torch.arange(4) if read == "run" else None
    with pytest.raises(FixupError, match=r"f2\.3\.kernel.*OwnKernel"):
        fixup_(model, example_inputs=example, verbose=False)


def test_logits_by_the_transposed_embedding_are_no_foreign_weight():
    class Transposed(TiedModel):
        def forward(self, tokens):
            x = self.emb(tokens)
            for a, b in zip(self.f1, self.f2, strict=True):
                x = x + b(torch.relu(a(x)))
            return x @ self.emb.weight.T

    for example in (None, torch.arange(4)):
        model = Transposed()
        del model.head
        embedding = model.emb.weight.clone()
        assert fixup_(model, example_inputs=example, verbose=False).num_branches == 4
        assert torch.equal(model.emb.weight, embedding)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.lstm = nn.Linear(8, 8), nn.LSTM(8, 8)
        self.second = nn.Linear(8, 8)

    def forward(self, x):
        return x + self.second(self.lstm(self.first(x))[0])


def test_recurrent_layers_and_layers_without_a_size_are_named():
    with pytest.raises(FixupError, match=r"lstm.*LSTM"):
        fixup_(Recurrent(), verbose=False)
    model = TiedModel(tied=False)
    model.f2[0] = nn.LazyLinear(16)
    with pytest.raises(FixupError, match=r"f2\.0.*no size yet"):
        fixup_(model, verbose=False)


def test_named_branches_whose_scalars_would_never_act_are_refused():
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.SwinTransformer([4, 4], 16, [2], [2], [2, 2], num_classes=3)
    named = {"branches": ["features.1.*.attn", "features.1.*.mlp"], "verbose": False}
    with pytest.raises(FixupError, match=r"features\.1\.0\.attn.*scalars=False"):
        fixup_(model, **named)
    assert fixup_(model, scalars=False, **named).num_branches == 4


class ScaledBlock(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.gamma = nn.Parameter(torch.full(shape, 1e-6))

    def forward(self, x):
        return x + self.gamma.flatten() * self.second(torch.relu(self.first(x)))


@pytest.mark.parametrize("shape", [(16,), (16, 1, 1)])
def test_layer_scales_become_one(shape):
    net = nn.Sequential(*(ScaledBlock(shape) for _ in range(3)), nn.Linear(16, 2))
    report = fixup_(net, verbose=False)
    assert all(bool((block.gamma == 1).all()) for block in net[:3])
    assert sum(row.role == "layer scale" for row in report.rows) == 3


def test_diagnose_sees_outputs_that_do_not_move():
    torch.manual_seed(0)
    net = nn.Sequential(*(ScaledBlock((16,)) for _ in range(3)), nn.Linear(16, 2))
    fixup_(net, verbose=False)
    batch = torch.randn(8, 16), torch.randint(0, 2, (8,))
    assert diagnose(net, batch).healthy
    with torch.no_grad():
        still = nn.Sequential(nn.Linear(16, 16), net)
        still[0].weight.mul_(1e-6)
        still[0].bias.zero_()
        still[1][-1].bias.requires_grad_(False)
        for block in net[:3]:
            block.first.bias.zero_()
    for parameter in still.modules():
        if hasattr(parameter, "fixup_scalars"):
            for scalar in parameter.parameters():
                scalar.requires_grad_(False)
    assert not diagnose(still, batch).healthy
    dead = TiedModel(tied=False)
    fixup_(dead, verbose=False)
    nn.init.zeros_(dead.emb.weight)  # as it was with a tied classifier
    tokens = torch.arange(8)
    assert not diagnose(dead, (tokens, tokens)).healthy


def test_softmax_attention_is_one_rule_whatever_library_wrote_it():
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=5)
    report = fixup_(model, verbose=False)
    assert [b.num_layers for b in report.branches] == [4, 2, 4, 2]
    assert {b.standard for b in report.branches} == {"xavier"}
    width, scale = 192, 4 ** (-1 / 6)
    assert report.stds()["blocks.0.attn.qkv"] == pytest.approx((2 / (4 * width)) ** 0.5 * scale)


@pytest.mark.parametrize("name", ["Bert", "GPT2", "T5", "ViT"])
def test_hugging_face_transformers_need_no_example(name):
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 32, "vocab_size": 60}  # fmt: skip
    if name == "Bert":
        model = transformers.BertForMaskedLM(transformers.BertConfig(**small))
    elif name == "GPT2":
        model = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=60, n_positions=32)
        )
    elif name == "T5":
        model = transformers.T5ForConditionalGeneration(
            transformers.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
                                  vocab_size=60, decoder_start_token_id=0))  # fmt: skip
    else:
        del small["vocab_size"]
        model = transformers.ViTForImageClassification(
            transformers.ViTConfig(**small, image_size=16, patch_size=8)
        )
    report = fixup_(model, verbose=False)
    assert report.num_branches == (10 if name == "T5" else 4)
    assert all(b.standard == "xavier" for b in report.branches)
    shared = [p for n, p in model.named_parameters() if "embed" in n or "shared" in n or "wte" in n]
    assert all(p.abs().max() > 0 for p in shared if p.ndim == 2)
