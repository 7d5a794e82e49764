"""torch's transformer layers: Fixup as in the authors' Transformer, T-Fixup and DeepNorm."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from curate.nn import FixupError, FixupScale, fixup_
from tests.nn.fixup.nets import Net, PostBlock


def transformer(encoders=2, decoders=3, **keywords):
    return nn.Transformer(
        24, 4, encoders, decoders, 96, dropout=0.0, batch_first=True, **keywords
    )  # fmt: skip


def sequences():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 7, 24, generator=generator), torch.randn(2, 5, 24, generator=generator)


@pytest.mark.parametrize("norm_first", [False, True])
def test_branches_statistics_and_identity(norm_first):
    torch.manual_seed(0)
    model = transformer(norm_first=norm_first)
    report = fixup_(model, verbose=False)
    total = 2 * 2 + 3 * 3
    assert report.num_branches == total
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        for attention in (m for m in layer.modules() if isinstance(m, nn.MultiheadAttention)):
            # three 24 x 24 projections drawn as one 72 x 24 Xavier matrix, times L^(-1/6)
            expected = math.sqrt(2 / (72 + 24)) * total ** (-1 / 6)
            assert attention.in_proj_weight.std().item() == pytest.approx(expected, rel=0.06)
            assert not attention.out_proj.weight.any()
        expected = math.sqrt(2 / (96 + 24)) * total**-0.5
        assert layer.linear1.weight.std().item() == pytest.approx(expected, rel=0.06)
        assert not layer.linear2.weight.any()
    assert not any(isinstance(module, nn.LayerNorm) for module in model.modules())
    # as the authors: 4 shifts and 2 scales an encoder layer, 5 and 3 a decoder layer
    assert report.scalars == 2 * (4 + 2) + 3 * (5 + 3)
    source, target = sequences()
    for training in (True, False):
        model.train(training)
        assert torch.equal(model(source, target), target)
        with torch.no_grad():  # where torch would take its fused path past the scalars
            assert torch.equal(model.encoder(source), source)


def test_eval_without_gradients_equals_training_mode():
    model = transformer()
    fixup_(model, verbose=False)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    source, target = sequences()
    expected = model(source, target)
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model(source, target), expected)


def test_attention_shifts_queries_keys_and_values_and_scales_its_result():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    plain = nn.MultiheadAttention(8, 2, batch_first=True)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x, memory):
            x = x + self.attention(x, x, x, need_weights=False)[0]
            return x + self.attention(query=x, key=memory, value=memory)[0]

    block = Block()
    report = fixup_(block, verbose=False)
    assert {b.num_layers for b in report.branches} == {4}
    nn.init.constant_(attention.fixup_before.bias, 0.3)
    nn.init.constant_(attention.fixup_scale.scale, 0.7)
    nn.init.normal_(attention.out_proj.weight)
    state = {k: v for k, v in attention.state_dict().items() if "fixup" not in k}
    plain.load_state_dict(state)
    x, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    shifted = x + 0.3
    y = x + 0.7 * plain(shifted, shifted, shifted)[0]
    expected = y + 0.7 * plain(y + 0.3, memory, memory)[0]
    torch.testing.assert_close(block(x, memory), expected)


def test_a_classifier_behind_an_encoder():
    layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True)

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 24)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(24, 3)

        def forward(self, tokens):
            return self.head(self.encoder(self.embedding(tokens)).mean(1))

    model = Classifier()
    table = model.embedding.weight.clone()
    report = fixup_(model, verbose=False)
    assert report.classifiers == ["head"]
    assert torch.equal(model.embedding.weight, table)
    assert {r.module: r.init for r in report.rows}["embedding"] == "left"
    assert not model(torch.randint(0, 10, (2, 4))).any()


@pytest.mark.parametrize(("encoders", "decoders"), [(6, 6), (2, 5)])
def test_tfixup(encoders, decoders):
    torch.manual_seed(0)
    model = nn.ModuleDict({"t": transformer(encoders, decoders), "e": nn.Embedding(500, 24)})
    fixup_(model, rule="tfixup", verbose=False)
    matrix = math.sqrt(2 / 48)
    for layers, gain in (
        (model["t"].encoder.layers, 0.67 * encoders**-0.25),
        (model["t"].decoder.layers, (9 * decoders) ** -0.25),
    ):
        for layer in layers:
            queries, keys, values = layer.self_attn.in_proj_weight.chunk(3)
            for weight, expected in (
                (queries, matrix),
                (keys, matrix),
                (values, matrix * gain),
                (layer.self_attn.out_proj.weight, matrix * gain),
                (layer.linear1.weight, math.sqrt(2 / 120) * gain),
                (layer.linear2.weight, math.sqrt(2 / 120) * gain),
            ):
                assert weight.std().item() == pytest.approx(expected, rel=0.12)
    assert not any(isinstance(m, (nn.LayerNorm, FixupScale)) for m in model.modules())
    scale = min(0.67 * encoders**-0.25, (9 * decoders) ** -0.25)
    assert model["e"].weight.std().item() == pytest.approx(24**-0.5 * scale, rel=0.05)


@pytest.mark.parametrize(("encoders", "decoders"), [(4, 4), (3, 0)])
def test_deepnorm_is_layer_norm_of_the_amplified_stream(encoders, decoders):
    model = transformer(max(encoders, 1), max(decoders, 1)).double()
    model = model if decoders else model.encoder
    fixup_(model, rule="deepnorm", verbose=False)
    fixup_(model, rule="deepnorm", verbose=False)  # twice is as once
    layer = (model.encoder if decoders else model).layers[0]
    if decoders:
        alpha = 0.81 * (encoders**4 * decoders) ** (1 / 16)
        beta = 0.87 * (encoders**4 * decoders) ** (-1 / 16)
    else:
        alpha, beta = (2 * encoders) ** 0.25, (8 * encoders) ** -0.25
    assert layer.linear1.weight.std().item() == pytest.approx(math.sqrt(2 / 120) * beta, rel=0.06)
    source = sequences()[0].double() * 1e-3  # small, so that eps matters
    attended = nn.functional.multi_head_attention_forward(
        *(source.transpose(0, 1),) * 3, 24, 4, layer.self_attn.in_proj_weight,
        layer.self_attn.in_proj_bias, None, None, False, 0.0, layer.self_attn.out_proj.weight,
        layer.self_attn.out_proj.bias,
    )[0].transpose(0, 1)  # fmt: skip
    norm = nn.functional.layer_norm
    y = norm(alpha * source + attended, (24,), layer.norm1.weight, layer.norm1.bias, 1e-5)
    inner = layer.linear2.weight @ (layer.linear1.weight @ y.mT).clamp(min=0)
    expected = norm(alpha * y + inner.mT, (24,), layer.norm2.weight, layer.norm2.bias, 1e-5)
    torch.testing.assert_close(layer(source), expected, rtol=1e-9, atol=1e-9)
    assert not layer.self_attn.fixup_scale.state_dict()["scale"].requires_grad
    assert not list(layer.self_attn.fixup_scale.parameters())


def test_rules_for_transformers_refuse_others():
    for rule in ("tfixup", "deepnorm"):
        with pytest.raises(FixupError, match=f"'{rule}'.*'blocks.0' is in none"):
            fixup_(Net(PostBlock(6)), rule=rule, verbose=False)
    with pytest.raises(FixupError, match="norm_first=False"):
        fixup_(transformer(norm_first=True), rule="deepnorm", verbose=False)
    with pytest.raises(FixupError, match="DeepNorm needs its normalisations"):
        fixup_(transformer(), rule="deepnorm", norm="remove", verbose=False)


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x):
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return x + self.second(torch.relu(self.first(x)))


def encoder():
    return nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("block", "keywords", "message"),
    [
        (Attending, {}, "MultiheadAttention.*torch.jit.trace"),
        (encoder, {}, "TransformerEncoderLayer.*torch.jit.trace"),
        (encoder, {"scalars": False}, "TransformerEncoderLayer.*torch.jit.trace"),
        (encoder, {"norm": "keep"}, "MultiheadAttention.*scalars=False"),
        (encoder, {"norm": "keep", "scalars": False}, None),
        (Attending, {"scalars": False}, None),
    ],
)
def test_attention_is_scripted_or_refused_in_one_sentence_and_traced(block, keywords, message):
    torch.manual_seed(0)
    model = nn.Sequential(block(), nn.Linear(16, 3)).eval()
    fixup_(model, verbose=False, **keywords)
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    x = torch.randn(2, 5, 16)
    want = model(x)
    if message is None:
        torch.testing.assert_close(torch.jit.script(model)(x), want)
    else:
        with pytest.raises(FixupError, match=message):
            torch.jit.script(model)
    torch.testing.assert_close(torch.jit.trace(model, x)(x), want)
    torch.testing.assert_close(copy.deepcopy(model)(x), want)
    assert pickle.loads(pickle.dumps(model))(x).equal(want)
