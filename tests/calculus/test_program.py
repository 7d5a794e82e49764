"""Several outputs by several variables in one program."""

import pickle

import numpy as np
import pytest
import torch

from curate import calculus
from curate.calculus import Blocks, CalculusError, parse, program
from tests.calculus import reference
from tests.calculus.reference import CASES

VALUES = reference.values()
SCALARS = [case for case in CASES if parse(case[0], **case[4]).order == 0]
KERNEL = "a^2*exp(-D/(2*b^2)) + c^2*eye"
PROCESS = f"0.5*y'*inv({KERNEL})*y + 0.5*logdet({KERNEL})"


@pytest.mark.parametrize("case", SCALARS, ids=lambda case: case[0])
def test_equals_the_single_derivatives(case):
    text, (name, *_), names, _, kinds = case
    expression = parse(text, **kinds)
    given = {n: VALUES[n] for n in names}
    joint = program(expression, gradient=name, hessian=name, product=name)
    direction = np.random.default_rng(3).standard_normal(VALUES[name].shape)
    value, gradient, hessian, product = joint(**given, **{f"{name}_direction": direction})
    np.testing.assert_allclose(value, expression(**given), rtol=1e-10)
    first, second = expression.derivative(name), expression.derivative(name, name)
    np.testing.assert_allclose(gradient, first(**given), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(hessian, second(**given), rtol=1e-8, atol=1e-9)
    expected = np.tensordot(second(**given), direction, direction.ndim)
    np.testing.assert_allclose(product, expected, rtol=1e-7, atol=1e-8)


def test_blocks_and_their_flat_view():
    expression = parse("norm2(X*W - y*v')^2 + a*sum(exp(v)) + a^3*tr(W'*W)")
    given = {n: VALUES[n] for n in "XWyva"}
    names = ["W", "a", "v"]
    joint = program(expression, value=False, gradient=names, hessian=names, product=names)
    directions = {n: np.random.default_rng(1).random(np.shape(VALUES[n])) for n in names}
    gradient, hessian, product = joint(
        **given, **{f"{n}_direction": d for n, d in directions.items()}
    )
    assert list(gradient) == names
    assert isinstance(hessian, Blocks)
    assert len(repr(hessian)) < 100
    for one in names:
        np.testing.assert_allclose(gradient[one], expression.derivative(one)(**given))
        for two in names:
            expected = expression.derivative(one, two)(**given)
            np.testing.assert_allclose(hessian[one, two], expected, atol=1e-12)
    flat = np.concatenate([np.ravel(directions[n]) for n in names])
    assert hessian.flat.shape == (9, 9)
    np.testing.assert_allclose(hessian.flat, hessian.flat.T)
    np.testing.assert_allclose(product.flat, hessian.flat @ flat)
    np.testing.assert_allclose(gradient.flat[:6], gradient["W"].ravel())
    everything = given | {f"{n}_direction": d for n, d in directions.items()}
    in_torch = joint(**{n: torch.as_tensor(v) for n, v in everything.items()})
    assert torch.is_tensor(in_torch[1].flat)
    np.testing.assert_allclose(in_torch[1].flat.numpy(), hessian.flat)


def process(n=40):
    rng = np.random.default_rng(0)
    x = rng.random(n) * 5
    return {"D": (x[:, None] - x) ** 2, "y": np.sin(x) + 0.1 * rng.standard_normal(n)}


def test_a_gaussian_process_against_jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    given = process()

    def f(theta):
        a, b, c = theta
        k = a**2 * jax.numpy.exp(-given["D"] / (2 * b**2)) + c**2 * jax.numpy.eye(40)
        y = given["y"]
        return 0.5 * y @ jax.numpy.linalg.solve(k, y) + 0.5 * jax.numpy.linalg.slogdet(k)[1]

    theta = np.array([1.2, 0.8, 0.3])
    joint = program(parse(PROCESS, D="symmetric matrix"), gradient=[*"abc"], hessian=[*"abc"])
    value, gradient, hessian = joint(**given, **dict(zip("abc", theta, strict=True)))
    np.testing.assert_allclose(value, f(theta), rtol=1e-10)
    np.testing.assert_allclose(gradient.flat, jax.grad(f)(theta), rtol=1e-9)
    np.testing.assert_allclose(hessian.flat, jax.hessian(f)(theta), rtol=1e-8)


def test_one_theta_holds_the_parameters_for_scipy():
    from scipy.optimize import minimize

    text = PROCESS.replace("a^2", "exp(t[0])").replace("b^2", "exp(t[1])")
    expression = parse(text.replace("c^2", "exp(t[2])"), D="symmetric matrix")
    given = process()
    args = ["t", "D", "y"]
    joint = program(expression, gradient="t", args=args)
    bend = program(expression, value=False, hessian="t", args=args)
    turn = program(expression, value=False, product="t", args=["t", "t_direction", "D", "y"])
    rest = (given["D"], given["y"])
    start = np.array([0.0, 0.0, -1.0])
    plain = minimize(joint, start, rest, jac=True, method="L-BFGS-B")
    newton = minimize(joint, start, rest, jac=True, hess=bend, method="trust-exact")
    krylov = minimize(joint, start, rest, jac=True, hessp=turn, method="trust-krylov")
    for found in (plain, newton, krylov):
        np.testing.assert_allclose(found.fun, newton.fun, rtol=1e-6)
    assert np.abs(newton.jac).max() < 1e-3
    singles = expression.hessian("t")(t=start, **given)
    np.testing.assert_allclose(bend(start, *rest), singles, rtol=1e-9)


def test_indefinite_and_singular_kernels():
    joint = program(parse("y'*inv(S)*y + logdet(S)", S="symmetric matrix"), gradient="S")
    S = np.array([[1.0, 2.0], [2.0, 1.0]])
    value, gradient = joint(S=S, y=np.ones(2))
    np.testing.assert_allclose(value, 2 / 3 + np.log(3))
    np.testing.assert_allclose(gradient, np.linalg.inv(S) - np.full((2, 2), 1 / 9))
    with pytest.raises(CalculusError, match="singular"):
        joint(S=np.ones((2, 2)), y=np.ones(2))


def test_parts_are_shared():
    expression = parse(PROCESS, D="symmetric matrix")
    joint = program(expression, gradient=[*"abc"], hessian=[*"abc"])
    given = process() | {"a": 1.0, "b": 1.0, "c": 1.0}
    joint(**given)
    from curate.calculus.compile.compiled import planner_for

    shapes = {name: np.shape(value) for name, value in given.items()}
    planner = planner_for(joint.bound.expression, shapes, *joint.nodes)
    planner.lower_all(*joint.nodes)
    kinds = [op.kind for op in planner.program.operations]
    assert sum("inverse" in kind or "logdet" in kind for kind in kinds) == 1
    assert kinds.count("mm") == 2


def test_results_are_apart_and_pickling_keeps_them():
    expression = parse("x'*A*x + c*x'*x")
    joint = program(expression, gradient="x", hessian="x", args=["x"])
    given = {"A": VALUES["A"], "c": 0.5}
    kept = VALUES["A"].copy()
    first = joint(VALUES["x"], **given)
    for output in first[1:]:
        output += 1
    np.testing.assert_array_equal(VALUES["A"], kept)
    again = pickle.loads(pickle.dumps(joint))(VALUES["x"], **given)
    np.testing.assert_allclose(again[2], first[2] - 1, rtol=1e-14)
    linear = program(parse("y'*x"), value=True, gradient=["x", "y"])
    _, gradient = linear(x=VALUES["x"], y=VALUES["z"])
    block = gradient["x"]
    block += 1
    np.testing.assert_array_equal(gradient["y"], VALUES["x"])
    np.testing.assert_array_equal(gradient["x"], VALUES["z"] + 1)


def test_what_cannot_be_asked_for():
    with pytest.raises(CalculusError, match="scalar"):
        program(parse("A*x"), gradient="x")
    with pytest.raises(CalculusError, match="nothing"):
        program(parse("x'*x"), value=False)
    with pytest.raises(CalculusError, match="'q' is not a variable"):
        program(parse("x'*x"), gradient="q")
    with pytest.raises(TypeError, match="position"):
        program(parse("x'*x"))(VALUES["x"])
    assert repr(program(calculus.parse("x'*x"), gradient="x")).startswith("program(x'*x, value=")
