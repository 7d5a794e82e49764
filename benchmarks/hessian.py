"""Hessians: `curate.calculus` against automatic differentiation and the hand-written closed form.

    pip install -e '.[bench]' && python benchmarks/hessian.py [--quick] [--dtype float32]

One thread, CPU time (CUDA events with --device cuda), contestants take turns, medians. Prints the
tables of docs/benchmarks.md, 'Hessians'. Peers that are not installed are left out, and said so.
"""

# ruff: noqa: E402, E501
import argparse
import gc
import math
import os
import platform
import statistics
import time
from collections.abc import Callable

# the peers get one thread, too
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import torch
from hessian_peers import hips, jax_joint, jax_modes, left_out, tensorgrad, torch_modes
from hessian_problems import (
    PROBLEMS,
    PROCESS,
    Problem,
    deep_net,
    process_by_hand,
    process_function,
    process_values,
)
from rich.console import Console
from rich.table import Table

from curate.calculus import parse, program

TARGET = 2e-2
"""Seconds that a sample should last: the CPU time of jax's own threads is booked late."""
LARGE = 30_000_000
"""Bytes from which the floor is printed beside ``out=``."""
SLOW = 0.5
"""Seconds from which one sample is enough."""


class Clock:
    """CPU seconds here, device seconds by events on CUDA."""

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")

    def seconds(self, run: Callable[[], object], times: int) -> float:
        if self.cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(times):
                run()
            end.record()
            torch.cuda.synchronize()
            return start.elapsed_time(end) / 1e3 / times
        start_cpu = time.process_time()
        for _ in range(times):
            run()
        return (time.process_time() - start_cpu) / times


def by_turns(
    contestants: dict[str, Callable[[], object]], clock: Clock, repeats: int
) -> dict[str, float]:
    """Median seconds of each; those that take long are sampled once."""
    first = {}
    for name, run in list(contestants.items()):
        try:
            run()
        except RuntimeError:
            if name in ("ours", "closed", "out="):
                raise
            del contestants[name]  # a mode that cannot do this problem
            continue
        first[name] = clock.seconds(run, 1)
        if first[name] < TARGET:
            first[name] = clock.seconds(run, 5)
        gc.collect()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    times = {name: max(1, min(2000, int(TARGET / max(t, 1e-7)))) for name, t in first.items()}
    for _ in range(repeats):
        for name, run in contestants.items():
            if first[name] < TARGET:
                run()  # what ran before has emptied the caches
            if first[name] < SLOW:
                seconds[name].append(clock.seconds(run, times[name]))
    return {name: statistics.median(values or [first[name]]) for name, values in seconds.items()}


def run_problem(
    problem: Problem,
    n: int,
    dtype: torch.dtype,
    device: str,
    clock: Clock,
    repeats: int,
    *,
    peers: bool = True,
) -> dict[str, float]:
    torch.manual_seed(0)
    values = {name: v.to(device, dtype) for name, v in problem.values(n).items()}
    hessian = parse(problem.text, **problem.kinds).hessian(problem.variable).compile()
    closed = problem.closed
    expected = closed(**values)
    ours = hessian(**values)
    tolerance = 1e-8 if dtype == torch.float64 else 1e-2
    error = (ours - expected).abs().max() / expected.abs().max()
    assert ours.shape == expected.shape, (problem.name, ours.shape, expected.shape)
    assert error < tolerance, (problem.name, n, error)
    out = torch.empty_like(expected, memory_format=torch.contiguous_format)
    contestants: dict[str, Callable[[], object]] = {
        "ours": lambda: hessian(**values),
        "closed": lambda: closed(**values),
        "out=": lambda: hessian(out=out, **values),
    }
    del ours, expected
    if peers:
        contestants |= torch_modes(problem, values)
    if peers and not clock.cuda:
        contestants |= jax_modes(problem, values)
        contestants |= tensorgrad(problem, values)
        if dtype == torch.float64 and n <= problem.sizes[1]:
            contestants |= hips(problem, values)
    seconds = by_turns(contestants, clock, repeats)
    seconds["bytes"] = out.numel() * out.element_size()
    if seconds["bytes"] >= LARGE:  # the floor of out=: what it costs to write that much
        other = torch.empty_like(out)
        floors = {"zeroing": lambda: out.zero_(), "copying": lambda: out.copy_(other)}
        seconds |= by_turns(floors, clock, repeats)
    return seconds


def fastest(seconds: dict[str, float], names: tuple[str, ...]) -> tuple[str, float]:
    found = {k: v for k, v in seconds.items() if k.startswith(names)}
    name = min(found, key=found.get, default="")
    return name, found.get(name, math.nan)


TORCH = ("autograd.functional", "torch.func", "jacrev(jacrev)")


def table_of(dtype: torch.dtype, rows: list[tuple[Problem, int, dict]]) -> tuple[Table, dict]:
    table = Table(title=f"Hessians, {str(dtype).removeprefix('torch.')}, microseconds")
    columns = (
        "problem", "n", "ours", "closed form", "ours / closed", "out= / closed",
        "fastest torch / ours", "torch.func / ours", "fastest jax / ours", "HIPS / ours",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    ratios: dict[str, list[float]] = {"torch": [], "func": [], "jax": []}
    for problem, n, seconds in rows:
        own, closed = seconds["ours"], seconds["closed"]
        name, best = fastest(seconds, TORCH)
        jax_name, best_jax = fastest(seconds, ("jax",))
        short = {"autograd.functional, reverse": "a.f. rev", "autograd.functional, forward":
                 "a.f. fwd", "autograd.functional, vectorized": "a.f. vec", "torch.func.hessian": "func", "jacrev(jacrev)": "jacrev²"}  # fmt: skip
        ratios["torch"].append(best / own)
        ratios["func"].append(seconds["torch.func.hessian"] / own)
        if not math.isnan(best_jax):
            ratios["jax"].append(best_jax / own)
        table.add_row(
            problem.name, str(n), f"{own * 1e6:.1f}", f"{closed * 1e6:.1f}",
            f"{own / closed:.2f}", f"{seconds['out='] / closed:.2f}",
            f"{best / own:.0f}x {short[name]}",
            f"{seconds['torch.func.hessian'] / own:.0f}x",
            f"{best_jax / own:.1f}x {'h' if 'hessian' in jax_name else 'j(g)'}",
            f"{seconds['HIPS autograd'] / own:.0f}x" if "HIPS autograd" in seconds else "–",
        )  # fmt: skip
    means = {k: math.exp(statistics.fmean(map(math.log, v))) for k, v in ratios.items() if v}
    return table, {"means": means, "least jax": min(ratios["jax"], default=math.nan)}


def compile_times(console: Console) -> None:
    table = Table(title="deriving and compiling, milliseconds (goal <= 20 each)")
    for column in ("problem", "parse + derive + compile", "again"):
        table.add_column(column, justify="right")
    parse("x")(x=torch.zeros(1))  # the grammar is made once a process
    for problem in PROBLEMS:
        values = problem.values(problem.sizes[0])
        times = []
        for _ in range(2):
            start = time.process_time()
            hessian = parse(problem.text, **problem.kinds).hessian(problem.variable)
            shapes = {k: tuple(v.shape) for k, v in values.items()}
            hessian.compile().build(shapes, torch.float64)
            times.append((time.process_time() - start) * 1e3)
        table.add_row(problem.name, f"{times[0]:.1f}", f"{times[1]:.1f}")
    console.print(table)


def print_floors(console: Console, rows: list[tuple[Problem, int, dict]]) -> None:
    for problem, n, seconds in rows:
        if "zeroing" in seconds:
            console.print(
                f"out=, {problem.name} n = {n}: {seconds['out='] / seconds['closed']:.2f} x the "
                f"closed form (goal <= 0.5); zeroing {seconds['bytes'] / 1e6:.0f} MB is "
                f"{seconds['zeroing'] / seconds['closed']:.2f} x, copying as much "
                f"{seconds['copying'] / seconds['closed']:.2f} x"
            )


def out_times(console: Console, clock: Clock, repeats: int) -> None:
    """Results so large that malloc gives their memory back, and every new one costs its pages."""
    for name, n in (("quadratic", 3000), ("factorisation", 600), ("log det", 60)):
        problem = next(p for p in PROBLEMS if p.name == name)
        seconds = run_problem(problem, n, torch.float64, "cpu", clock, repeats, peers=False)
        print_floors(console, [(problem, n, seconds)])


def lazy_times(console: Console, clock: Clock, device: str, repeats: int) -> None:
    problem = next(p for p in PROBLEMS if p.name == "factorisation")
    values = {k: v.to(device) for k, v in problem.values(200).items()}
    hessian = parse(problem.text).hessian(problem.variable)
    v = values["V"]
    seconds = by_turns(
        {
            "lazy": lambda: hessian.lazy(**values),
            "VtV": lambda: v.T @ v,
            "dense": lambda: hessian(**values),
        },
        clock,
        3 * repeats,
    )
    console.print(
        f"lazy factorisation Hessian, n = 200: {seconds['lazy'] * 1e6:.1f} us, "
        f"{seconds['lazy'] / seconds['VtV']:.2f} x V'V (goal <= 2), "
        f"{seconds['dense'] / seconds['lazy']:.0f} x under the dense one (goal >= 50)"
    )


def deep_times(console: Console, clock: Clock, repeats: int, sizes: tuple[int, ...]) -> None:
    table = Table(title="first-layer Hessian of an 8-layer tanh net, microseconds")
    columns = (
        "width", "ours", "jit(hessian)", "jit(jacrev(grad))", "jit(hessian) / ours (goal >= 1)",
        "torch.func / ours",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    for width in sizes:
        torch.manual_seed(0)
        problem = deep_net(8)
        values = problem.values(width)
        hessian = parse(problem.text).hessian("W1").compile()
        contestants = {"ours": lambda h=hessian, v=values: h(**v)}
        contestants |= jax_modes(problem, values)
        modes = torch_modes(problem, values)
        contestants["torch.func"] = modes["torch.func.hessian"]
        seconds = by_turns(contestants, clock, repeats)
        own = seconds["ours"]
        forward, reverse = (
            seconds.get(f"jax.jit({mode})", math.nan) for mode in ("hessian", "jacrev(grad)")
        )
        table.add_row(
            str(width), f"{own * 1e6:.0f}", f"{forward * 1e6:.0f}", f"{reverse * 1e6:.0f}",
            f"{forward / own:.2f}x", f"{seconds['torch.func'] / own:.0f}x",
        )  # fmt: skip
    console.print(table)


def process_times(console: Console, clock: Clock, repeats: int) -> None:
    """Value, gradient and Hessian by three hyperparameters, in one program each."""
    table = Table(title="Gaussian process: f, g and H by 3 hyperparameters, milliseconds, float64")
    columns = ("n", "ours", "by hand", "jax.jit", "ours / by hand (goal <= 1.5)",
               "jax / ours (goal >= 5)")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    expression = parse(PROCESS, D="symmetric matrix")
    joint = program(expression, gradient=["a", "b", "c"], hessian=["a", "b", "c"])
    for n in (200, 500):
        torch.manual_seed(0)
        values = process_values(n)
        value, gradient, hessian = joint(**values)
        expected = process_by_hand(**values)
        for ours, other in zip((value, gradient.flat, hessian.flat), expected, strict=True):
            assert torch.allclose(ours, other, rtol=1e-8), (n, ours, other)
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda v=values: joint(**v),
            "by hand": lambda v=values: process_by_hand(**v),
        }
        contestants |= jax_joint(process_function, values, 3)
        seconds = by_turns(contestants, clock, repeats)
        own, jax = seconds["ours"], seconds.get("jax.jit", math.nan)
        table.add_row(
            str(n), f"{own * 1e3:.2f}", f"{seconds['by hand'] * 1e3:.2f}", f"{jax * 1e3:.2f}",
            f"{own / seconds['by hand']:.2f}x", f"{jax / own:.2f}x",
        )  # fmt: skip
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes per problem, few repeats")
    parser.add_argument("--dtype", action="append", choices=["float64", "float32"])
    parser.add_argument("--process", action="store_true", help="the Gaussian process row only")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=160)
    clock = Clock(arguments.device)
    repeats = 3 if arguments.quick else 9
    console.print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}")
    if gone := left_out():
        console.print(f"left out: {', '.join(gone)}")
    if arguments.process:
        return process_times(console, clock, repeats)
    compile_times(console)
    for name in arguments.dtype or ["float64", "float32"]:
        dtype = getattr(torch, name)
        rows = []
        for problem in PROBLEMS:
            for n in problem.sizes[:2] if arguments.quick else problem.sizes:
                seconds = run_problem(problem, n, dtype, arguments.device, clock, repeats)
                rows.append((problem, n, seconds))
        table, summary = table_of(dtype, rows)
        console.print(table)
        print_floors(console, rows)
        means = summary["means"]
        console.print(
            f"geometric means: fastest torch / ours {means['torch']:.0f}x (goal >= 25), torch.func "
            f"/ ours {means['func']:.0f}x (goal >= 80), fastest jax / ours "
            f"{means.get('jax', math.nan):.1f}x (goal >= 12), least {summary['least jax']:.2f}x "
            "(goal >= 1)"
        )
    lazy_times(console, clock, arguments.device, repeats)
    if arguments.device == "cpu":
        if not arguments.quick:
            out_times(console, clock, repeats)
        process_times(console, clock, repeats)
        deep_times(console, clock, repeats, (16,) if arguments.quick else (8, 16, 32))


if __name__ == "__main__":
    main()
