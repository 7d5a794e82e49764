"""Light and dynamic convolution against the forms they are usually computed in.

    python benchmarks/light_convolution.py [--quick | --gpu]

One thread, float32; the contestants of a row take turns, figures are medians of CPU time; K = 31,
B 8, T 512, C 512, H 8 unless a row says otherwise. The band-matrix and unfold forms are what
implementations without a compiled extension fall back to, written here from their definition. Peak
memory is that of a process of its own.
"""

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from measure import cpu_medians
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from curate.nn import LightConvBlock, dynamic_conv1d, lightweight_conv1d

BATCH, CHANNELS, HEADS, TAPS = 8, 512, 8, 31


def band(x: Tensor, kernels: Tensor) -> Tensor:
    """x (T, B, C) times a T x T matrix for each head, zero but for K diagonals."""
    length, batch, channels = x.shape
    heads, taps = kernels.shape[2:]
    each = x.reshape(length, batch * heads, channels // heads).transpose(0, 1)
    wide = x.new_zeros(batch * heads, length, length + taps - 1)
    diagonals = wide.as_strided(
        (batch * heads, length, taps), (length * (length + taps - 1), length + taps, 1)
    )
    diagonals.copy_(kernels.reshape(length, batch * heads, taps).transpose(0, 1))
    y = torch.bmm(wide[:, :, (taps - 1) // 2 :][:, :, :length], each)
    return y.transpose(0, 1).reshape(length, batch, channels)


def unfold(x: Tensor, kernels: Tensor) -> Tensor:
    """Every position's K neighbours laid out, (T, B, C, K), then one product per position."""
    length, batch, channels = x.shape
    heads, taps = kernels.shape[2:]
    padded = F.pad(x, (0, 0, 0, 0, (taps - 1) // 2, taps // 2))
    windows = padded.unfold(0, taps, 1).reshape(-1, channels // heads, taps)
    return torch.bmm(windows, kernels.reshape(-1, taps, 1)).view(length, batch, channels)


def both_ways(function: Callable, *inputs: Tensor) -> Callable[[], None]:
    """Forward and backward of function, gradients for all inputs."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    slopes = torch.randn_like(inputs[0])

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        function(*leaves).backward(slopes)

    return run


def without_gradients(function: Callable, *inputs: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            function(*inputs)

    return run


def light_rows(length: int, repeats: int) -> list[tuple]:
    x = torch.randn(BATCH, length, CHANNELS)
    weight = torch.randn(HEADS, TAPS)

    def shared(form: Callable) -> Callable:
        return lambda x, w: form(x, w.softmax(1).expand(*x.shape[:2], HEADS, TAPS))

    seconds = cpu_medians(
        {
            "own": both_ways(lightweight_conv1d, x, weight),
            "band": both_ways(shared(band), x.transpose(0, 1).contiguous(), weight),
            "unfold": both_ways(shared(unfold), x.transpose(0, 1).contiguous(), weight),
        },
        repeats,
    )
    what = f"light, forward + backward, T {length}"
    return [
        (what, "band matrix", seconds["own"], seconds["band"], ">= 10x"),
        (what, "unfold", seconds["own"], seconds["unfold"], ">= 30x"),
    ]


def copy_rows(length: int, repeats: int) -> list[tuple]:
    x, weight = torch.randn(BATCH, length, CHANNELS), torch.randn(HEADS, TAPS)
    y = torch.empty_like(x)
    seconds = cpu_medians(
        {
            "own": without_gradients(lightweight_conv1d, x, weight),
            "clone": x.clone,
            "copy": lambda: y.copy_(x),
        },
        repeats,
    )
    what = f"light, forward, T {length}"
    return [
        (what, "copy of x to a new y (floor)", seconds["own"], seconds["clone"], "<= 2.5 x floor"),
        (what, "copy of x to a warm y", seconds["own"], seconds["copy"], ""),
    ]


def dynamic_rows(length: int, repeats: int) -> list[tuple]:
    x = torch.randn(BATCH, length, CHANNELS)
    weight = torch.randn(BATCH, length, HEADS, TAPS)
    peer = lambda x, w: band(x, w.softmax(3))  # noqa: E731
    contestants = {
        "own": both_ways(dynamic_conv1d, x, weight),
        "band": both_ways(
            peer, x.transpose(0, 1).contiguous(), weight.transpose(0, 1).contiguous()
        ),
        "compiled": both_ways(torch.compile(dynamic_conv1d, fullgraph=True), x, weight),
    }
    seconds = cpu_medians(contestants, repeats)
    what = f"dynamic, forward + backward, T {length}"
    return [
        (what, "band matrix", seconds["own"], seconds["band"], ">= 4x"),
        (f"{what}, compiled", "band matrix", seconds["compiled"], seconds["band"], ">= 6x"),
    ]


def block_rows(length: int, repeats: int, goal: str) -> list[tuple]:
    x = torch.randn(BATCH, length, CHANNELS)
    block = LightConvBlock(CHANNELS, TAPS, num_heads=HEADS).eval()
    attention = nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True)
    seconds = cpu_medians(
        {
            "own": without_gradients(block, x),
            "default": without_gradients(lambda x: attention(x, x, x), x),
            "lean": without_gradients(lambda x: attention(x, x, x, need_weights=False), x),
        },
        repeats,
    )
    what = f"LightConvBlock, forward, T {length}"
    return [
        (what, "MultiheadAttention", seconds["own"], seconds["default"], goal),
        (what, "the same, need_weights=False", seconds["own"], seconds["lean"], ""),
    ]


MEMORY = """
import sys, torch
from curate.nn import dynamic_conv1d, lightweight_conv1d
torch.set_num_threads(1)
kind, length, backward = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "backward"
function = {"light": lightweight_conv1d, "dynamic": dynamic_conv1d}[kind]
def resident(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) * 1024
def run(length):
    x = torch.randn(8, length, 512, requires_grad=backward)
    shape = (8, 31) if kind == "light" else (8, length, 8, 31)
    weight = torch.randn(shape, requires_grad=backward)
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far
    y = function(x, weight)
    if backward:
        y.backward(torch.ones_like(y))
    return (resident("VmHWM") - before) / (x.numel() * 4)
run(64)
print(1 + run(length))
"""


def memory_rows(length: int) -> list[tuple]:
    rows = []
    for kind, direction, goal in (
        ("light", "forward", "<= 4x"),
        ("light", "backward", "<= 4x"),
        ("dynamic", "forward", ""),
        ("dynamic", "backward", ""),
    ):
        command = [sys.executable, "-c", MEMORY, kind, str(length), direction]
        times = float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        what = "forward" if direction == "forward" else "forward + backward"
        rows.append((f"{kind}, {what}, T {length}", f"{times:.2f}x", goal))
    return rows


def on_gpu(console: Console) -> None:
    """The Triton kernels against torch's own depthwise convolution, and a copy as the floor.

    Medians of the device's time with a cold cache. torch has no dynamic convolution: there the peer
    is ours on plain torch.
    """
    from triton.testing import do_bench

    length = 512
    table = Table(title=f"{torch.cuda.get_device_name()}: B 32, T {length}, C {CHANNELS}, K {TAPS}")
    for column in ("what", "curate, us", "peer, us", "peer / curate", "copy of x, us", "x floor"):
        table.add_column(column, justify="left" if column == "what" else "right")

    def microseconds(run: Callable[[], object]) -> float:
        return 1e3 * do_bench(run, return_mode="median")

    def depthwise(x: Tensor, weight: Tensor) -> Tensor:
        kernels = weight.softmax(1).repeat_interleave(CHANNELS // HEADS, 0).unsqueeze(1)
        return F.conv1d(x.transpose(1, 2), kernels, padding=TAPS // 2, groups=CHANNELS)

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        return dynamic_conv1d(x, weight, backend="torch")

    for dtype in (torch.bfloat16, torch.float32):
        x = torch.randn(32, length, CHANNELS, device="cuda", dtype=dtype)
        floor = microseconds(x.clone)
        for own, peer, shape in (
            (lightweight_conv1d, depthwise, (HEADS, TAPS)),
            (dynamic_conv1d, plain, (32, length, HEADS, TAPS)),
        ):
            weight = torch.randn(shape, device="cuda", dtype=dtype)
            for ways in (without_gradients, both_ways):
                ours, theirs = (microseconds(ways(each, x, weight)) for each in (own, peer))
                direction = "forward" + (" + backward" if ways is both_ways else "")
                table.add_row(
                    f"{own.__name__}, {direction}, {str(dtype).removeprefix('torch.')}",
                    f"{ours:.0f}", f"{theirs:.0f}", f"{theirs / ours:.1f}x", f"{floor:.0f}",
                    f"{ours / floor:.1f}",
                )  # fmt: skip
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the length, 2 repeats")
    parser.add_argument("--gpu", action="store_true", help="the Triton kernels on a GPU only")
    arguments = parser.parse_args()
    if arguments.gpu:
        on_gpu(Console(width=120, highlight=False))
        return
    short, long, repeats = (128, 512, 2) if arguments.quick else (512, 2048, 9)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    console = Console()
    console.print(f"torch {torch.__version__}, {platform.machine()}, one thread, float32")
    rows = light_rows(short, repeats)
    rows += copy_rows(long, repeats)
    rows += dynamic_rows(short, repeats)
    rows += block_rows(short, repeats, ">= 3x") + block_rows(long, min(repeats, 4), ">= 3.8x")
    table = Table(title="time")
    for column in ("what", "against", "curate, ms", "peer, ms", "peer / curate", "goal"):
        table.add_column(column, justify="left" if column in ("what", "against") else "right")
    for what, against, own, peer, goal in rows:
        ratio = f"{own / peer:.2f} x floor" if "copy of x" in against else f"{peer / own:.1f}x"
        table.add_row(what, against, f"{own * 1e3:.1f}", f"{peer * 1e3:.1f}", ratio, goal)
    console.print(table)
    table = Table(title="peak memory of a process, times the input x, x itself included")
    for column in ("what", "memory", "goal"):
        table.add_column(column)
    for row in memory_rows(long):
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
