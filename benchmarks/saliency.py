"""Saliency maps and attacks on them: is the gradient right, what do they cost, how strong are they?

    python benchmarks/saliency.py [--quick] [--device cuda]

The unit is one forward pass and the gradient by the input of the same batch, plain torch, in CPU
time and by turns. Peers (captum, zennit) take part where they are installed. Networks: a small one
in float64 for the gradients, the pretrained CIFAR ResNet-20 on lossless test images for the rest.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from measure import DATA, Row, cpu_medians, medians, resident
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from curate import saliency
from curate.saliency.certificates.pixels import certified
from curate.scores import SingleInfluence

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "pipelines")]

from saliency_fragility import CIFAR, cifar  # noqa: E402

from tests.saliency.nets import RELU_STYLES, Styled, build, images  # noqa: E402

METHODS: dict[str, dict] = {
    "gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": 8},
    "deeplift": {},
    "smoothgrad": {"samples": 4},
    "grad_cam": {},
    "guided_backprop": {},
}


def error_through(explain: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """The largest error of the gradient through a map over max(1, the difference)."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    try:
        start = x.clone().requires_grad_()
        (found,) = torch.autograd.grad((explain(start) * weights).sum(), start)
    except RuntimeError:
        return "no graph"
    worst = 0.0
    for _ in range(5):
        way = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        up, down = (
            (explain((x + sign * 1e-5 * way).requires_grad_()) * weights).sum().item()
            for sign in (1, -1)
        )
        rise = (up - down) / 2e-5
        worst = max(worst, abs((found * way).sum().item() - rise) / max(1, abs(rise)))
    return f"{worst:.0e}"


def right() -> Iterator[Row]:
    """The gradient through every map against finite differences."""
    x, softplus = images(), build(Styled, act=F.softplus)
    theirs = peers(softplus)
    for name, options in METHODS.items():
        nets = [(build(style), 2.0) for style in RELU_STYLES] + [(softplus, None)]
        found = [
            error_through(
                lambda x, net=net, beta=beta, name=name, options=options: getattr(saliency, name)(
                    net, x, 1, softplus_beta=beta, **options
                ),
                x,
            )
            for net, beta in nets
        ]
        worst = max(found, key=float)
        shown = ", ".join(
            f"{error_through(explain, x)} ({peer})"
            for (peer, method), explain in theirs.items()
            if method == name
        )
        what = f"gradient through {name}: worst of {len(nets)} module styles"
        yield what, worst, shown, "", "<= 1e-6"
    styles = [build(style, pool="average") for style in RELU_STYLES]
    gap = max(
        saliency.completeness_error(net, x, saliency.deeplift(net, x, 1), 1).max().item()
        for net in styles
    )
    other = ", ".join(captum_deeplift(build(), x))
    yield "DeepLIFT of a net with F.relu: completeness missed", f"{gap:.0e}", other, "", ""


def peers(net: nn.Module) -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    found: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {}
    try:
        from captum.attr import (
            DeepLift,
            GuidedBackprop,
            IntegratedGradients,
            LayerGradCam,
            Saliency,
        )
    except ImportError:
        pass
    else:
        base = torch.zeros(1, 3, 6, 6, dtype=torch.float64)
        found |= {
            ("captum", "gradient"): lambda x: Saliency(net).attribute(x, target=1, abs=False),
            ("captum", "integrated_gradients"): lambda x: IntegratedGradients(net).attribute(
                x, base, target=1, n_steps=8
            ),
            ("captum", "deeplift"): lambda x: DeepLift(net).attribute(x, base, target=1),
            ("captum", "guided_backprop"): lambda x: GuidedBackprop(net).attribute(x, target=1),
            ("captum", "grad_cam"): lambda x: (
                LayerGradCam(net, net.norm)
                .attribute(x, target=1)
                .repeat_interleave(2, 2)
                .repeat_interleave(2, 3)
                .expand(-1, 3, -1, -1)
            ),
        }
    try:
        from zennit.attribution import Gradient
        from zennit.attribution import IntegratedGradients as ZennitIntegrated
    except ImportError:
        pass
    else:

        def zennit(kind: Callable, x: Tensor, **options: int) -> Tensor:
            one = torch.eye(4, dtype=x.dtype)[[1] * len(x)]
            with kind(net, create_graph=True, **options) as attributor:
                return attributor(x, one)[1]

        found[("zennit", "gradient")] = lambda x: zennit(Gradient, x)
        found[("zennit", "integrated_gradients")] = lambda x: zennit(ZennitIntegrated, x, n_iter=8)
    return found


def captum_deeplift(net: nn.Module, x: Tensor) -> Iterator[str]:
    try:
        from captum.attr import DeepLift
    except ImportError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maps = DeepLift(net).attribute(x, torch.zeros_like(x), target=1)
    yield f"{saliency.completeness_error(net, x, maps.detach(), 1).median().item():.0%} (captum)"


def steps(net: nn.Module, x: Tensor) -> Iterator[Row]:
    """Gradients that integrated gradients need for completeness within 1 % on 95 % of images."""
    from curate.saliency.engine.net import Net
    from curate.saliency.maps.path_points import choose_points

    with torch.no_grad():
        target = net(normalised(x)).argmax(1)
    asked = Net(net, CIFAR)
    _, terms = choose_points(asked, x, target, torch.zeros_like(x), 0.01, 512)
    ours = len(terms.rows) / len(x)
    for count in (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512):
        maps = saliency.integrated_gradients(net, x, target, steps=count, normalise=CIFAR)
        errors = saliency.completeness_error(net, x, maps, target, normalise=CIFAR)
        if errors.quantile(0.95) <= 0.01:
            break
    what = "integrated gradients, completeness within 1 % on 95 % of images: gradients per image"
    yield what, f"{ours:.1f}", f"{count} fixed steps", f"{ours / count:.2f}", "<= 0.5"


def memory() -> Iterator[Row]:
    """What integrated gradients take at most, beside one forward pass and gradient of a chunk."""
    context = multiprocessing.get_context("spawn")
    taken = []
    for part in (False, True):
        with ProcessPoolExecutor(1, mp_context=context) as pool:  # a peak is a process's own
            taken.append(pool.submit(peak_of_maps, part).result())
    one, ours = taken
    what = "integrated gradients within 1 %, 128 images in chunks of 64: peak memory"
    shown = f"{ours * 1024:.0f} MiB", f"{one * 1024:.0f} MiB (one chunk)"
    yield what, *shown, f"{ours / one:.2f}", "<= 1.2"


def peak_of_maps(integrated: bool) -> float:
    """GiB on top of the net and one image's gradient."""
    torch.set_num_threads(1)
    net, pixels, _ = cifar(DATA, "resnet20")
    saliency.gradient(net, pixels[:1], normalise=CIFAR)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far, which was of imports
    if integrated:
        saliency.integrated_gradients(net, pixels[:128], normalise=CIFAR, chunk=64)
    else:
        saliency.gradient(net, pixels[:64], normalise=CIFAR, chunk=64)
    return resident("VmHWM") - before


def costs(net: nn.Module, x: Tensor, repeats: int) -> Iterator[Row]:
    """One step of an attack, and certificates, in units."""

    def unit() -> None:
        start = x.clone().requires_grad_()
        logits = net(normalised(start))
        torch.autograd.grad(logits.amax(1).sum(), start)

    with torch.no_grad():
        target = net(normalised(x)).argmax(1)
    from curate.saliency.attacks.iterative import _uphill
    from curate.saliency.attacks.setting import set_up

    def step(method: str, options: dict, chunk: int) -> Callable[[], object]:
        setting = set_up(
            net,
            x,
            method,
            target,
            objective="topk",
            k=100,
            region=None,
            epsilon=8 / 255,
            confidence=0.0,
            options=options,
            bounds=(0, 1),
            normalise=CIFAR,
            chunk=chunk,
        )
        rows = torch.arange(len(x), device=x.device)
        return lambda: _uphill(setting, x, rows, 30.0)

    contestants = {
        "unit": unit,
        "gradient": step("gradient", {}, 64 if x.device.type == "cpu" else len(x)),
        "integrated": step("integrated_gradients", {"steps": 4}, 4 * len(x)),
        "certificates": lambda: saliency.certify_pixels(
            net,
            x,
            "gradient",
            target,
            samples=20,
            tau=0.5,
            normalise=CIFAR,
            chunk=len(x),
            level=0.9,
        ),  # a tau and a level of which 20 copies are enough
        "20 maps": lambda: [
            saliency.gradient(net, x, target, normalise=CIFAR, chunk=len(x)) for _ in range(20)
        ],
    }
    contestants = {name: finished(run, x.device) for name, run in contestants.items()}
    clock = time.process_time if x.device.type == "cpu" else time.perf_counter
    seconds = medians(contestants, repeats, clock)
    one = seconds["unit"]
    for name, count, goal in (("gradient", 1, "<= 3.5"), ("integrated", 4, "<= 3.5")):
        ratio = seconds[name] / one / count
        what = (
            "one attack step on the simple gradient"
            if count == 1
            else ("one attack step on integrated gradients of 4 steps, over 4")
        )
        yield what, f"{seconds[name]:.3f} s", f"{one:.4f} s (unit)", f"{ratio:.2f}", goal
    ours, floor = seconds["certificates"], seconds["20 maps"]
    what = "pixel certificates, 20 noisy copies"
    yield what, f"{ours:.2f} s", f"{floor:.2f} s (the maps)", f"{ours / floor:.2f}", "<= 1.2"


def together(net: nn.Module, x: Tensor, iterations: int, alone: int) -> Iterator[Row]:
    """An attack on all images at once against one at a time, of which ``alone`` are measured."""
    terms = {"iterations": iterations, "normalise": CIFAR}
    few = x[:alone]
    saliency.iterative_attack(net, x, iterations=1, normalise=CIFAR)  # to warm up
    saliency.iterative_attack(net, few[:1], iterations=1, normalise=CIFAR)

    def by_turns() -> None:
        for one in few.split(1):
            saliency.iterative_attack(net, one, **terms)

    def at_once() -> None:
        saliency.iterative_attack(net, x, **terms)

    spent = {}
    for name, run in (("alone", by_turns), ("at once", at_once)):
        whole = finished(run, x.device)
        start = time.perf_counter()
        whole()
        spent[name] = time.perf_counter() - start
    ours, theirs = spent["at once"] / len(x), spent["alone"] / len(few)
    what = f"top-k attack of {iterations} steps, {len(x)} images at once against one at a time, "
    what += f"wall time per image ({len(few)} of them)"
    shown = f"{ours * 1e3:.0f} ms", f"{theirs * 1e3:.0f} ms"
    yield what, *shown, f"{theirs / ours:.2f}", ">= 1.7" if x.device.type == "cpu" else ">= 20"


def ranks(repeats: int) -> Iterator[Row]:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = (
        torch.from_numpy(part.astype(np.float32)) for part in rng.gamma(1, size=(2, 4, 227, 227))
    )
    contestants = {
        "ours": lambda: saliency.spearman(a, b),
        "scipy": lambda: [
            spearmanr(x.ravel(), y.ravel()) for x, y in zip(a.numpy(), b.numpy(), strict=True)
        ],
    }
    seconds = cpu_medians(contestants, repeats)
    ratio = seconds["scipy"] / seconds["ours"]
    ours, theirs = (f"{seconds[name] / 4 * 1e3:.1f} ms" for name in ("ours", "scipy"))
    yield "Spearman of two 227 x 227 maps", ours, f"{theirs} (scipy)", f"{ratio:.1f}", ">= 6"


def influences(repeats: int) -> Iterator[Row]:
    """All influences of 1,000 training on 1,000 test examples, a last layer of 2,048 x 2."""
    rng = torch.Generator().manual_seed(0)
    x, x_test = (torch.randn(1000, 2048, generator=rng, dtype=torch.float64) for _ in range(2))
    y, y_test = (torch.randint(0, 2, (1000,), generator=rng) for _ in range(2))
    start = time.process_time()
    single = SingleInfluence(torch.zeros(2, 2048), x, y, damping=0.1)
    single.on(x_test[:1], y_test[:1])
    once = time.process_time() - start
    left, right = torch.randn(1000, 4096).double(), torch.randn(4096, 1000).double()
    contestants = {"ours": lambda: single.on(x_test, y_test), "product": lambda: left @ right}
    seconds = cpu_medians(contestants, repeats)
    ours, floor = seconds["ours"], seconds["product"]
    what = f"influences, 1,000 on 1,000, 2,048 x 2 (factorised before in {once:.0f} s)"
    yield what, f"{ours:.3f} s", f"{floor:.3f} s (the product)", f"{ours / floor:.2f}", "<= 2"


def strength(net: nn.Module, x: Tensor, iterations: int) -> Iterator[Row]:
    """What is left of the simple gradient at ε = 8: the paper's attack, and stronger."""
    with torch.no_grad():
        target = net(normalised(x)).argmax(1)
    before = saliency.pixel_scores(saliency.gradient(net, x, target, normalise=CIFAR))
    runs = {
        "random signs": lambda: saliency.random_signs(net, x, normalise=CIFAR),
        "one step by 32 queries": lambda: saliency.black_box_step(net, x, normalise=CIFAR),
        "the paper's": lambda: saliency.iterative_attack(
            net, x, iterations=iterations, normalise=CIFAR
        ),
        "strong": lambda: saliency.strong_attack(net, x, iterations=iterations, normalise=CIFAR),
    }
    paper = None
    for name, run in runs.items():
        found = run()
        after, kept = saliency.pixel_scores(found.maps), found.found.cpu()
        top = saliency.topk_intersection(before, after, 100)[kept.numpy()].mean()
        rho = saliency.spearman(before, after)[kept.numpy()].mean()
        paper = top if name == "the paper's" else paper
        what = f"top 100 kept at ε = 8, {len(x)} images, {iterations} iterations: {name}"
        ratio = "" if name != "strong" else f"{top / paper:.2f}" if paper else ""
        goal = "below the paper's" if name == "strong" else ""
        yield (
            what,
            f"{top:.2%} (ρ {rho:.2f})",
            f"{int(kept.sum())} keep the prediction",
            ratio,
            goal,
        )


def coverage() -> Iterator[Row]:
    """How often any pixel of an image is certified falsely, at the boundary: the worst case."""
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(1024) % 2, 0.75, 0.25).reshape(1, 32, 32)
    false = [
        bool((certified(rng.binomial(100, chance), 100, 0.75, 0.05, "holm") != 0).any())
        for _ in range(2000)
    ]
    what = "certificates: images with any false pixel, 1,024 pixels on the boundary, level 95 %"
    yield what, f"{statistics.mean(false):.1%}", "", "", "<= 5 %"


def normalised(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(part).view(3, 1, 1).to(x) for part in CIFAR)
    return (x - mean) / std


def on_gpu(device: str) -> None:
    """The rows of a GPU: 300 steps of 64 images at once, what a step costs, and strength."""
    net, pixels, labels = cifar(DATA, "resnet20")
    net, pixels, labels = net.to(device), pixels.to(device), labels.to(device)
    with torch.no_grad():
        x = pixels[net(normalised(pixels)).argmax(1) == labels]
    torch.backends.cudnn.allow_tf32 = False  # as the pipelines do
    print(f"torch {torch.__version__}, {device_name(device)}, float32 without TF32")
    parts = together(net, x[:64], 300, alone=4), costs(net, x[:256], 9), strength(net, x[:64], 100)
    for row in chain.from_iterable(parts):
        print("| " + " | ".join(row) + " |", flush=True)


def device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def finished(run: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """The same, over only when the device is done with it, so that a clock sees all of it."""

    def whole() -> None:
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", help="a GPU such as cuda: only the rows that it changes")
    options = parser.parse_args()
    quick = options.quick
    warnings.simplefilter("ignore")
    if options.device:
        on_gpu(options.device)
        return
    net, pixels, labels = cifar(DATA, "resnet20")
    with torch.no_grad():
        predicted = net(normalised(pixels[:80])).argmax(1)
    x = pixels[:80][predicted == labels[:80]]
    few = 8 if quick else 32
    table = Table("what", "ours", "peer or floor", "ratio", "goal")
    console = Console(width=150)
    parts = [
        right(),
        steps(net, x[:few]),
        memory(),
        costs(net, x[: 8 if quick else 32], 3),
        together(net, x[: 16 if quick else 64], 3, alone=8),
        ranks(3 if quick else 9),
        influences(5),
        strength(net, x[: 8 if quick else 16], 20 if quick else 100),
        coverage(),
    ]
    for part in parts:
        for row in part:
            table.add_row(*row)
            print("| " + " | ".join(row) + " |", flush=True)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    console.print(table)


if __name__ == "__main__":
    main()
