"""The torch calls of elementwise maps."""

from __future__ import annotations

from curate.calculus.compile import runtime

_CALLS = {
    "arcsin": "torch.asin", "arccos": "torch.acos", "arctan": "torch.atan",
    "erf": "torch.special.erf", "erfc": "torch.special.erfc", "slope": "torch.sign",
    "log_ndtr": "torch.special.log_ndtr",
    "digamma": "torch.special.digamma", "arcsinh": "torch.asinh", "arccosh": "torch.acosh",
    "arctanh": "torch.atanh",
}  # fmt: skip


def map_call(name: str) -> str:
    """The call of an elementwise map."""
    if name in runtime.MAPS:
        return f"{name}({{0}})"
    if name in runtime.PAIRS:
        return f"{name}({{0}}, {{1}})"
    if name == "where":
        return "where({0}, {1}, {2})"
    if name.startswith("polygamma"):
        return f"torch.polygamma({name.removeprefix('polygamma')}, {{0}}{{out}})"
    if name == "root":
        return "torch.sqrt({0}{out})"
    if name == "step":
        return "torch.gt({0}, 0).to({0}.dtype)"
    if name == "pow":
        return "torch.pow({0}, {1}{out})"
    if name == "relu":
        return "torch.relu({0})"
    return f"{_CALLS.get(name, 'torch.' + name)}({{0}}{{out}})"


def power_call(exponent: float) -> str:
    """The call of a power."""
    named = {-1.0: "reciprocal", 0.5: "sqrt", -0.5: "rsqrt"}
    if exponent in named:
        return f"torch.{named[exponent]}({{0}}{{out}})"
    return f"torch.pow({{0}}, {exponent!r}{{out}})"
