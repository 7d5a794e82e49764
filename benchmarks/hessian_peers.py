"""The peers of benchmarks/hessian.py: PyTorch's modes, JAX, HIPS autograd, tensorgrad."""

import importlib.util
from collections.abc import Callable

import torch
from hessian_problems import Problem

Modes = dict[str, Callable[[], object]]


def torch_modes(problem: Problem, values: dict[str, torch.Tensor]) -> Modes:
    names = list(values)
    place = names.index(problem.variable)
    rest = [values[name] for name in names]
    x = values[problem.variable]

    def f(x: torch.Tensor) -> torch.Tensor:
        return problem.function(torch, *[x if k == place else v for k, v in enumerate(rest)])

    functional = torch.autograd.functional.hessian
    forward, reverse = torch.func.hessian(f), torch.func.jacrev(torch.func.jacrev(f))
    return {
        "autograd.functional, reverse": lambda: functional(f, x),
        "autograd.functional, vectorized": lambda: functional(f, x, vectorize=True),
        "autograd.functional, forward": lambda: functional(
            f, x, vectorize=True, outer_jacobian_strategy="forward-mode"
        ),
        "torch.func.hessian": lambda: forward(x),
        "jacrev(jacrev)": lambda: reverse(x),
    }


def jax_modes(problem: Problem, values: dict[str, torch.Tensor]) -> Modes:
    try:
        import jax
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    place = list(values).index(problem.variable)
    arrays = [jax.numpy.asarray(value.cpu().numpy()) for value in values.values()]

    def f(*arguments: object) -> object:
        return problem.function(jax.numpy, *arguments)

    hessian = jax.jit(jax.hessian(f, argnums=place))
    rev = jax.jit(jax.jacrev(jax.grad(f, argnums=place), argnums=place))
    return {
        "jax.jit(hessian)": lambda: hessian(*arrays).block_until_ready(),
        "jax.jit(jacrev(grad))": lambda: rev(*arrays).block_until_ready(),
    }


def jax_joint(
    function: Callable[..., object], values: dict[str, torch.Tensor], count: int
) -> Modes:
    """Value, gradient and Hessian by the first arguments, in one jitted function."""
    try:
        import jax
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    arrays = [jax.numpy.asarray(value.cpu().numpy()) for value in values.values()]
    first = tuple(range(count))

    def f(*arguments: object) -> object:
        return function(jax.numpy, *arguments)

    both = jax.value_and_grad(f, argnums=first)
    joint = jax.jit(lambda *a: (*both(*a), jax.hessian(f, argnums=first)(*a)))
    return {"jax.jit": lambda: jax.block_until_ready(joint(*arrays))}


def hips(problem: Problem, values: dict[str, torch.Tensor]) -> Modes:
    try:
        import autograd
        import autograd.numpy as anp
    except ImportError:
        return {}
    place = list(values).index(problem.variable)
    arrays = [value.cpu().numpy() for value in values.values()]
    hessian = autograd.hessian(lambda *arguments: problem.function(anp, *arguments), place)
    return {"HIPS autograd": lambda: hessian(*arrays)}


def tensorgrad(problem: Problem, values: dict[str, torch.Tensor]) -> Modes:
    """Its symbolic Hessian of the problems that it is asked for, evaluated by its own evaluator."""
    if problem.name not in ("quadratic", "ridge") or tensorgrad_hinders():
        return {}
    import tensorgrad as tg
    from sympy import symbols
    from tensorgrad.extras.evaluate import evaluate

    n, m = symbols("n m")
    x = tg.Variable("x", i=n)
    if problem.name == "quadratic":
        matrix = tg.Variable("A", i=n, j=n)
        expression = x @ matrix @ x.rename(i="j")
        given = {matrix: values["A"].rename("i", "j")}
    else:
        matrix, y = tg.Variable("X", m=m, i=n), tg.Variable("y", m=m)
        residual = matrix @ x - y
        expression = tg.sum(residual * residual)
        given = {matrix: values["X"].rename("m", "i")}
    hessian = expression.grad(x).grad(x).simplify()
    sizes = {n: len(values[problem.variable]), m: next(iter(given.values())).shape[0]}
    return {"tensorgrad": lambda: evaluate(hessian, dict(given), dims=sizes)}


def tensorgrad_hinders() -> str:
    """Why tensorgrad cannot run here, or nothing."""
    if importlib.util.find_spec("tensorgrad") is None:
        return "not installed"
    if not hasattr(torch.Tensor, "rename"):
        return "its evaluator needs torch's named tensors, which this torch has not"
    return ""


def left_out() -> list[str]:
    """The peers that are not here, and why."""
    gone = [name for name in ("jax", "autograd") if importlib.util.find_spec(name) is None]
    why = tensorgrad_hinders()
    return [*gone, *([f"tensorgrad ({why})"] if why else [])]
