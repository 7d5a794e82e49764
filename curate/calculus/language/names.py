"""The names of functions in the language."""

SPELLINGS = {
    "trace": "tr", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "inverse": "inv",
    "ln": "log",
}  # fmt: skip
ONE = [
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "tanh", "exp", "log", "sqrt", "abs", "sign",
    "relu", "sigmoid", "softplus", "erf", "erfc", "expm1", "log1p", "log_ndtr", "lgamma", "digamma",
    "tr", "det", "adj", "logdet", "inv", "diag", "norm1",
]  # fmt: skip
AXIS = ["sum", "mean", "logsumexp", "softmax", "norm2"]
PRINTED = {
    "kink", "mills", "mills_excess", "log1mexp", "bose", "cloglog", "cloglog_slope", "cloglog_bend",
    *(f"polygamma{n}" for n in range(1, 10)), *(f"sphere{n}" for n in range(7)),
}  # fmt: skip
"""Maps that occur in derivatives only: what is printed can be read again."""
TWO = ["solve", "xlogy"]
FUNCTIONS = [*ONE, *AXIS, *TWO, "vector", "matrix", "eye"]
