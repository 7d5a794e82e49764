"""The helper functions that stand-alone code may need."""

_CLOGLOG = """def cloglog(u):
    t = xp.exp(xp.where(u > 7, 7.0, u))
    inner = xp.where(t > 0.6931, xp.log1p(-xp.exp(-t)), xp.log(-xp.expm1(-t)))
    return xp.where(u < -40, u, inner)"""
_CLOGLOG_SLOPE = """def cloglog_slope(u):
    t = xp.exp(xp.where(u > 7, 7.0, u))
    return xp.where(u < -40, 1.0, xp.where(u > 7, 0.0, t / xp.expm1(t)))"""
_COFACTORS = """def cofactors(a):
    u, s, vh = xp.linalg.svd(a)
    others = [xp.prod(xp.concatenate([s[:k], s[k + 1 :]])) for k in range(len(s))]
    return xp.linalg.det(u) * xp.linalg.det(vh) * (u * xp.stack(others)) @ vh"""
_SIGNED = """def log_det(a):
    sign, logarithm = xp.linalg.slogdet(a)
    return xp.where(sign < 0, float('nan'), logarithm)"""
_NEAR_ZERO = """def near_zero(u, series, radius, far, v=None):
    near, total = abs(u) < radius, 0 * u
    small = xp.where(near, u, 0 * u)
    for a in series[::-1]:
        total = total * small + a
    return xp.where(near, total, far(xp.where(near, radius + 0 * u, u), v))"""
_PEAKS = """def peaks(u, axes):
    largest = u == xp.AMAX(u, axis=axes, keepdims=True)
    ones = xp.where(largest, xp.ones_like(u), xp.zeros_like(u))
    return ones / ones.sum(axis=axes, keepdims=True)"""
_OTHERS = """def others(u):
    n = u.shape[-1]
    rest = [xp.concatenate([u[..., :k], u[..., k + 1 :]], -1) for k in range(n)]
    return xp.stack([xp.prod(part, -1) for part in rest], -1)"""
_POLAR = """def polar(a):
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    least = max(a.shape) * xp.finfo(a.dtype).eps * s[0]
    return (u * xp.where(s > least, 1.0, 0.0)) @ vh"""
_SPECTRAL = """def spectral(a, function):
    d, u = xp.linalg.eigh(a)
    return (u * function(d)) @ u.T"""
_SPECTRAL_SLOPE = """def spectral_slope(a, differences):
    d, u = xp.linalg.eigh(a)
    f = differences(d[:, None], d[None, :])
    return xp.einsum('ai,bj,ij,ci,dj->abcd', u, u, f, u, u)"""
_OF_EXP = """def differences_of_exp(a, b):
    gap = xp.where(a == b, 1.0, abs(a - b))
    ratio = xp.where(a == b, 1.0, -xp.expm1(-gap) / gap)
    return xp.exp(xp.maximum(a, b)) * ratio"""
_OF_LOG = """def differences_of_log(a, b):
    r = xp.where(a == b, 0.5, (a - b) / (a + b))
    near = xp.where(abs(r) < 0.9, r, 0.5)
    ratio = xp.where(abs(r) < 0.9, xp.arctanh(near) / near, xp.log(a / b) / (2 * r))
    return 2 * xp.where(a == b, 1.0, ratio) / (a + b)"""
_OF_SQRT = """def differences_of_sqrt(a, b):
    return 1 / (xp.sqrt(a) + xp.sqrt(b))"""
HELPERS = {
    "softplus": "def softplus(u):\n    return xp.logaddexp(u, 0 * u)",
    "cloglog": _CLOGLOG, "cloglog_slope": _CLOGLOG_SLOPE, "cofactors": _COFACTORS,
    "log_det": _SIGNED,
    "near_zero": _NEAR_ZERO,
    "peaks": _PEAKS, "others": _OTHERS, "polar": _POLAR,
    "spectral": _SPECTRAL, "spectral_slope": _SPECTRAL_SLOPE,
    "differences_of_exp": _OF_EXP, "differences_of_log": _OF_LOG, "differences_of_sqrt": _OF_SQRT,
    "cap": "def cap(u):\n    return math.log(xp.finfo(u.dtype).max) - 1",
}  # fmt: skip
WITH_MATH = {"cap"}
"""Those that import math."""
