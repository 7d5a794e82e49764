"""The names of functions in the language."""

from curate.calculus.elementwise import MAPS

SPELLINGS = {
    "trace": "tr", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "inverse": "inv",
    "ln": "log", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "maximum": "max",
    "minimum": "min", "gammaln": "lgamma", "psi": "digamma", "expit": "sigmoid",
}  # fmt: skip
ELEMENTWISE = [
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
    "arctanh", "exp", "log", "log2", "log10", "sqrt", "abs", "sign", "relu", "sigmoid", "logit",
    "softplus", "erf", "erfc", "expm1", "log1p", "log_ndtr", "lgamma", "digamma",
]  # fmt: skip
ONE = [
    "tr", "det", "adj", "logdet", "inv", "pinv", "expm", "logm", "sqrtm", "nuclear", "diag",
    "norm1", "vec",
]  # fmt: skip
AXIS = ["sum", "mean", "var", "std", "prod", "max", "min", "logsumexp", "softmax", "norm2"]
ARGUMENTS = {
    "solve": (2, 2), "xlogy": (2, 2), "logaddexp": (2, 2), "kron": (2, 2), "kron_tensor": (2, 2),
    "where": (3, 3), "stack": (1, 99), "reshape": (1, 99), "vector": (1, 2), "matrix": (1, 3),
    "eye": (0, 1), "tril": (1, 2), "triu": (1, 2), "cumsum": (1, 2),
}  # fmt: skip
"""The least and the largest number of arguments, where they are not 1 (and an axis)."""
SIZED = ["vector", "matrix", "eye", "zeros", "size", "reshape", "tril", "triu", "cumsum"]
KEEP_ROWS = {*ELEMENTWISE, "softmax"}
FUNCTIONS = [*ELEMENTWISE, *ONE, *AXIS, *ARGUMENTS]
ARGUMENTS |= {"zeros": (0, 99), "size": (1, 2)}  # in printed derivatives
INSTEAD = {
    "norm": "norm2(x) is the root of the sum of squares, norm1(x) the sum of absolute values",
    "pow": "a power is x.^2, or A^2 of a matrix", "power": "a power is x.^2, or A^2 of a matrix",
    "square": "a square is x.^2", "sq": "a square is x.^2", "dot": "a dot product is x'*y",
    "inner": "a dot product is x'*y", "outer": "an outer product is x*y'",
    "ones": "ones are vector(1) or matrix(1)", "one": "ones are vector(1) or matrix(1)",
    "identity": "the unit matrix is eye", "hadamard": "an elementwise product is X .* Y",
    "fro": "norm2(X) is the Frobenius norm", "average": "the mean is mean(x)",
    "clip": "write min(max(x, a), b)", "heaviside": "write (x > 0)", "step": "write (x > 0)",
    "gamma": "write exp(lgamma(x))", "hypot": "write sqrt(x.^2 + y.^2)",
    "concat": "stack(x, y) puts vectors end to end", "vstack": "it is stack(A, B)",
    "hstack": "write stack(A', B')'", "concatenate": "stack(x, y) puts vectors end to end",
    "flatten": "vec(A) is a matrix column by column", "ravel": "vec(A) goes column by column",
    "eig": "of symmetric matrices there are sqrtm, logm, expm; det, tr and nuclear of any",
    "svd": "there are nuclear(A), pinv(A) and det(A)", "if": "write where(x > 0, a, b)",
    "cond": "write where(x > 0, a, b)",
}  # fmt: skip
"""What to write for names that the language does not have."""
PRINTED = {name for name, entry in MAPS.items() if entry.printed}
"""Maps that occur in derivatives only: what is printed can be read again."""
HIDDEN = {
    "peaks", "others", "minors", "polar", "expm_derivative", "logm_derivative", "sqrtm_derivative",
    "index_pattern", "select_pattern", "fuse_pattern", "lower_pattern",
}  # fmt: skip
"""Atoms that occur in derivatives only, with a whole number or with sizes."""
