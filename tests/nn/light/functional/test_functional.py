import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.nn import LightConvError, dynamic_conv1d, lightweight_conv1d
from tests.nn.light.functional import reference

LAYOUTS = {"BTC": (0, 1, 2), "BCT": (0, 2, 1), "TBC": (1, 0, 2)}
BACKENDS = ("auto", "torch", "composed")


@st.composite
def problems(draw):
    batch, source = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    heads, taps = draw(st.integers(1, 3)), draw(st.integers(1, 12))
    channels = heads * draw(st.integers(1, 3))
    kinds = [st.sampled_from(["same", "causal"]), st.integers(0, 13)]
    kinds.append(st.tuples(st.integers(0, 13), st.integers(0, 13)))
    long_enough = lambda p: source + sum(reference.pads(p, taps)) >= taps  # noqa: E731
    padding = draw(st.one_of(kinds).filter(long_enough))
    lengths = None
    if draw(st.booleans()):
        one = st.integers(0, source + 1)
        lengths = torch.tensor(draw(st.lists(one, min_size=batch, max_size=batch)))
    softmax = draw(st.booleans())
    return {
        "shape": (batch, source, channels, heads, taps),
        "padding": padding,
        "lengths": lengths,
        "softmax": softmax,
        "renorm": softmax and draw(st.booleans()),
        "layout": draw(st.sampled_from(sorted(LAYOUTS))),
        "backend": draw(st.sampled_from(BACKENDS)),
        "bias": draw(st.booleans()),
        "dynamic": draw(st.booleans()),
        "seed": draw(st.integers(0, 99)),
    }


@settings(max_examples=250, deadline=None)
@given(problems())
def test_equals_the_loop(problem):
    batch, source, channels, heads, taps = problem["shape"]
    torch.manual_seed(problem["seed"])
    x = torch.randn(batch, source, channels, dtype=torch.float64)
    bias = torch.randn(channels, dtype=torch.float64) if problem["bias"] else None
    length = source + sum(reference.pads(problem["padding"], taps)) - taps + 1
    shape = (batch, length, heads, taps) if problem["dynamic"] else (heads, taps)
    weight = torch.randn(shape, dtype=torch.float64)
    function = dynamic_conv1d if problem["dynamic"] else lightweight_conv1d
    swap = LAYOUTS[problem["layout"]]
    y = function(
        x.permute(swap),
        weight,
        bias,
        padding=problem["padding"],
        layout=problem["layout"],
        normalize="softmax" if problem["softmax"] else None,
        renorm_padding=problem["renorm"],
        lengths=problem["lengths"],
        backend=problem["backend"],
    ).permute(swap)
    expected = reference.convolution(
        x,
        weight,
        bias,
        problem["padding"],
        problem["softmax"],
        problem["renorm"],
        problem["lengths"],
    )
    torch.testing.assert_close(y, expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("taps", [1, 4, 31, 70, 150])
@pytest.mark.parametrize("source", [31, 32, 33, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_long_sequences_cross_the_blocks(source, taps, dtype):
    torch.manual_seed(0)
    x = torch.randn(2, source, 6, dtype=dtype)
    light, dynamic = torch.randn(3, taps, dtype=dtype), torch.randn(2, source, 3, taps, dtype=dtype)
    close = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-12, "rtol": 0}
    for padding in ("same", "causal"):
        torch.testing.assert_close(
            lightweight_conv1d(x, light, padding=padding),
            reference.differentiable(x, light, padding),
            **close,
        )
        torch.testing.assert_close(
            dynamic_conv1d(x, dynamic, padding=padding),
            reference.differentiable(x, dynamic, padding),
            **close,
        )


def test_the_heads_are_contiguous_groups_of_channels():
    x = torch.ones(1, 3, 4)
    weight = torch.tensor([[1.0], [2.0]])
    y = lightweight_conv1d(x, weight, normalize=None)
    assert y[0, 0].tolist() == [1, 1, 2, 2]


def test_cross_correlation_looks_back_when_causal():
    x = torch.zeros(1, 5, 1)
    x[0, 2] = 1
    weight = torch.tensor([[1.0, 2.0, 3.0]])  # the last tap lies on the position itself
    y = lightweight_conv1d(x, weight, padding="causal", normalize=None)
    assert y.flatten().tolist() == [0, 0, 3, 2, 1]


def test_fairseq_weights_with_a_dimension_of_one():
    x, weight = torch.randn(2, 5, 4), torch.randn(2, 1, 3)
    assert torch.equal(lightweight_conv1d(x, weight), lightweight_conv1d(x, weight.squeeze(1)))


def test_softmax_covers_the_whole_kernel_even_beyond_the_sequence():
    weight = torch.zeros(1, 10)
    y = lightweight_conv1d(torch.ones(1, 2, 1), weight, padding="causal")
    torch.testing.assert_close(y.flatten(), torch.tensor([0.1, 0.2]))
    y = lightweight_conv1d(torch.ones(1, 2, 1), weight, padding="causal", renorm_padding=True)
    torch.testing.assert_close(y.flatten(), torch.ones(2))


def test_renormalising_survives_extreme_weights():
    # the tap in the padding holds all the mass; dividing by what is left would be 0 / 0
    weight = torch.tensor([[500.0, 0.0]], requires_grad=True)
    x = torch.ones(1, 2, 1)
    y = lightweight_conv1d(x, weight, padding="causal", renorm_padding=True)
    y.sum().backward()
    assert y.flatten().tolist() == [1, 1]
    assert weight.grad.isfinite().all()


def test_what_lies_past_the_length_is_not_seen():
    torch.manual_seed(0)
    x, lengths = torch.randn(2, 6, 4), torch.tensor([4, 0])
    for renorm in (False, True):
        options = {"lengths": lengths, "renorm_padding": renorm}
        y = lightweight_conv1d(x, torch.ones(2, 5), **options)
        spoilt = x.clone()
        spoilt[0, 4:], spoilt[1] = torch.nan, torch.inf
        assert torch.equal(lightweight_conv1d(spoilt, torch.ones(2, 5), **options), y)
        alone = lightweight_conv1d(x[:1, :4], torch.ones(2, 5), renorm_padding=renorm)
        torch.testing.assert_close(y[:1, :4], alone)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["light", "dynamic"])
def test_half_precision_is_the_rounded_result(dtype, kind):
    torch.manual_seed(0)
    x = torch.randn(2, 40, 8).to(dtype).requires_grad_()
    weight = (torch.randn(2, 40, 2, 7) if kind == "dynamic" else torch.randn(2, 7)).to(dtype)
    weight = (4 * weight).requires_grad_()
    function = dynamic_conv1d if kind == "dynamic" else lightweight_conv1d
    y = function(x, weight)
    wide = [tensor.detach().double().requires_grad_() for tensor in (x, weight)]
    exact = reference.differentiable(*wide)
    assert y.dtype == dtype
    step = torch.finfo(dtype).eps
    torch.testing.assert_close(y.double(), exact, atol=8 * step, rtol=4 * step)
    slopes = torch.randn(y.shape).to(dtype)
    for got, expected in zip(
        torch.autograd.grad(y, (x, weight), slopes),
        torch.autograd.grad(exact, wide, slopes.double()),
        strict=True,
    ):
        assert got.dtype == dtype
        scale = expected.abs().max().item()
        torch.testing.assert_close(got.double(), expected, atol=8 * step * scale, rtol=8 * step)


def test_softmax_in_float32_under_half_precision():
    weight = torch.tensor([[0.0] * 4095 + [8.0]], dtype=torch.float16)
    x = torch.ones(1, 4096, 1, dtype=torch.float16)
    y = lightweight_conv1d(x, weight, padding="causal")
    exact = weight.double().softmax(1)[0, -1].item()
    assert y[0, 0, 0].item() == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"layout": "NTC"}, "layout"),
        ({"padding": "valid"}, "padding"),
        ({"padding": -1}, "padding"),
        ({"padding": 0, "weight": torch.ones(2, 9)}, "padding"),
        ({"normalize": "sum"}, "normalize"),
        ({"normalize": None, "renorm_padding": True}, "renorm_padding"),
        ({"backend": "cuda"}, "backend"),
        ({"weight": torch.ones(3, 2)}, "weight"),
        ({"weight": torch.ones(4)}, "weight"),
        ({"bias": torch.ones(3)}, "bias"),
        ({"lengths": torch.ones(3)}, "lengths"),
        ({"x": torch.ones(2, 5)}, "x"),
        ({"x": torch.ones(2, 5, 4, dtype=torch.int64)}, "x"),
    ],
)
def test_errors_name_the_parameter(change, name):
    arguments = {"x": torch.ones(2, 5, 4), "weight": torch.ones(2, 3)} | change
    with pytest.raises(LightConvError, match=f"^{name}:"):
        lightweight_conv1d(**arguments)


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 2, 3), (1, 5, 2, 3), (2, 5, 3, 3)])
def test_dynamic_weights_have_one_kernel_a_position(shape):
    with pytest.raises(LightConvError, match="^weight:"):
        dynamic_conv1d(torch.ones(2, 5, 4), torch.ones(shape))
