"""scipy takes compiled expressions and lazy Hessians as they are."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg

from curate.calculus import CalculusError, parse

RNG = np.random.default_rng(0)
METHODS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "dogleg", "trust-constr",
           "BFGS", "L-BFGS-B", "CG", "SLSQP", "TNC"]  # fmt: skip
LOSS = parse("sum(log(1 + exp(-y.*(X*w)))) + 0.5*c*w'*w")
ARGS = ["w", "X", "y", "c"]


def functions():
    return (e.compile(args=ARGS) for e in (LOSS, LOSS.gradient("w"), LOSS.hessian("w")))


@pytest.fixture(scope="module")
def problem():
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import scale

    X, labels = load_breast_cancer(return_X_y=True)
    X, y = scale(X)[:, :8], 2.0 * labels - 1
    model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10000)
    return X, y, model.fit(X, y).coef_[0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_optimum_of_scikit_learn(problem, method):
    X, y, expected = problem
    f, g, H = functions()
    newton = method in METHODS[:6]
    found = minimize(f, np.zeros(8), args=(X, y, 1.0), method=method, jac=g,
                     hess=H if newton else None)  # fmt: skip
    np.testing.assert_allclose(found.x, expected, atol=1e-4 if newton else 1e-2)
    if newton:
        np.testing.assert_allclose(found.fun, f(expected, X, y, 1.0), rtol=1e-8)


def test_a_lazy_hessian_is_a_linear_operator(problem):
    X, y, expected = problem
    f, g, _ = functions()
    hessian = LOSS.hessian("w")

    def operator(w, X, y, c):
        return hessian.lazy(w=w, X=X, y=y, c=c).as_linear_operator()

    for method in ("Newton-CG", "trust-constr"):
        found = minimize(f, np.zeros(8), args=(X, y, 1.0), jac=g, hess=operator, method=method)
        np.testing.assert_allclose(found.x, expected, atol=1e-4)


CASES = [("norm2(A-U*V')^2", "U", "U"), ("norm2(A-U*V')^2", "U", "V"), ("A*x", "x", None),
         ("sum(exp(A*x))", "x", "x"), ("x'*x", "x", "x"), ("U*V'", "V", None)]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_products_are_those_of_the_dense_matrix(case):
    text, *names = case
    values = {"A": RNG.random((5, 4)), "U": RNG.random((5, 2)), "V": RNG.random((4, 2)),
              "x": RNG.random(4)}  # fmt: skip
    expression = parse(text)
    given = {name: values[name] for name in expression.scope}
    lazy = expression.derivative(*(name for name in names if name)).lazy(**given)
    columns = values[names[-1] or names[0]].size
    dense = lazy.dense().reshape(-1, columns)
    operator = lazy.as_linear_operator()
    assert isinstance(operator, LinearOperator)
    assert operator.shape == dense.shape
    assert operator.dtype == np.float64
    left, right = RNG.random(dense.shape[0]), RNG.random(columns)
    np.testing.assert_allclose(operator @ right, dense @ right)
    np.testing.assert_allclose(operator.T @ left, dense.T @ left)
    np.testing.assert_allclose(operator @ np.eye(columns), dense)
    np.testing.assert_allclose(operator.T @ np.eye(len(left)), dense.T)
    if lazy.dense().ndim == 2:
        protocol = aslinearoperator(lazy)
        np.testing.assert_allclose(protocol @ right, dense @ right)
        np.testing.assert_allclose(protocol.rmatvec(left), dense.T @ left)


def test_conjugate_gradients_and_sparse_sums():
    values = {"A": RNG.random((30, 20)), "U": RNG.random((30, 3)), "V": RNG.random((20, 3))}
    lazy = parse("norm2(A-U*V')^2").hessian("U").lazy(**values)
    right = RNG.random(90)
    damped = lazy.as_linear_operator() + aslinearoperator(0.1 * sparse.eye(90))
    solution, code = cg(damped, right, rtol=1e-10)
    assert code == 0
    dense = lazy.dense().reshape(90, 90) + 0.1 * np.eye(90)
    np.testing.assert_allclose(solution, np.linalg.solve(dense, right), rtol=1e-6)


def test_float32_stays():
    given = {"A": RNG.random((5, 4)).astype(np.float32), "x": np.ones(4, np.float32)}
    operator = parse("sum(exp(A*x))").hessian("x").lazy(**given).as_linear_operator()
    assert operator.dtype == np.float32
    assert (operator @ np.ones(4, np.float32)).dtype == np.float32


def test_by_position_only_what_has_a_name():
    f, g, _ = functions()
    w, X, y = np.zeros(2), np.eye(2), np.ones(2)
    expected = LOSS(w=w, X=X, y=y, c=1.0)
    assert f(w, X, y, 1.0) == f(w, X, c=1.0, y=y) == f(w=w, X=X, y=y, c=1.0) == expected
    again = pickle.loads(pickle.dumps(g))
    np.testing.assert_array_equal(again(w, X, y, 1.0), g(w, X, y, 1.0))
    with pytest.raises(TypeError, match="at most 4, those of w, X, y, c"):
        f(w, X, y, 1.0, None)
    with pytest.raises(TypeError, match="w: given by position and by name"):
        f(w, X, y, w=w, c=1.0)
    with pytest.raises(TypeError, match=r"compile\(args="):
        LOSS(w, X, y, 1.0)
    for args in (["w", "v"], ["w", "w"]):
        with pytest.raises(CalculusError, match="args"):
            LOSS.compile(args=args)
