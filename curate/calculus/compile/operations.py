"""What operations there are, and how each is written; operations are data until then.

In the texts ``{0}``, ``{1}`` are operands, ``{shape}`` is that of the result, ``{out}`` is where an
``out=`` goes, and other words are the parameters of the operation. In numpy's, ``{c.by}`` is the
parameter ``by`` as an array without axes and ``{c[1.0]}`` a number as one, which costs numpy less
than a number.
"""

from __future__ import annotations

from typing import NamedTuple

from curate.calculus.elementwise import MAPS

_ELEMENTS = 4096
"""Up to which an operation runs in numpy."""
_SLOW_ELEMENTS = 512
"""For functions that numpy has no vector instructions for."""
_MATRIX_ELEMENTS = 40**2
_FLOPS = 1 << 18
"""Of a matrix product; numpy's BLAS starts no thread up to here."""


class Kind(NamedTuple):
    """How an operation is written, and what its result is.

    Attributes:
        torch, numpy: the texts; numpy's is "" where there is none.
        view: whether the result shares memory with the first operand.
        elementwise: whether it is computed element by element.
        writes: whether it changes its first operand and has no result of its own.
        product: whether it is a matrix product.
        most: the elements (of matrix products: flops) up to which it runs in numpy.
        saved: the microseconds that numpy saves then.
    """

    torch: str
    numpy: str = ""
    view: bool = False
    elementwise: bool = False
    writes: bool = False
    product: bool = False
    most: int = _ELEMENTS
    saved: float = 1.0

    def text(self, in_numpy: bool) -> str:
        """The text for torch or numpy."""
        return self.numpy if in_numpy else self.torch

    def takes_out(self, in_numpy: bool) -> bool:
        """Whether the result can be written into memory that is there."""
        return "{out}" in self.text(in_numpy)


def _view(torch: str, numpy: str = "") -> Kind:
    return Kind(torch, numpy, view=True, saved=0.6)


def _elementwise(torch: str, numpy: str, most: int = _ELEMENTS) -> Kind:
    return Kind(torch, numpy, elementwise=True, most=most)


def _product(torch: str, numpy: str = "") -> Kind:
    return Kind(torch, numpy, product=True, most=_FLOPS)


def _matrix(torch: str, numpy: str) -> Kind:
    return Kind(torch, numpy, most=_MATRIX_ELEMENTS, saved=6.0)


def _change(torch: str, numpy: str) -> Kind:
    return Kind(torch, numpy, writes=True)


KINDS = {
    name: _elementwise(entry.torch, entry.numpy, _SLOW_ELEMENTS if entry.slow else _ELEMENTS)
    for name, entry in MAPS.items()
} | {
    # views
    "t": _view("{0}.t()", "{0}.T"),
    "permute": _view("{0}.permute({axes})", "{0}.transpose({axes})"),
    "reshape": _view("{0}.reshape({shape})", "{0}.reshape({shape})"),
    "with_axes": _view("{0}[{index}]", "{0}[{index}]"),
    "diagonal": _view("{0}.diagonal(0, {one}, {two})", "diagonal({0}, {one}, {two})"),
    "expand": _view("{0}.expand({shape})"),
    "narrow": _view("{0}.narrow({axis}, {start}, {size})"),
    "select": _view("{0}.select({axis}, {start})"),
    "contiguous": _view("{0}.contiguous()"),
    "item": _view("{0}[{place}]"),
    # elementwise, besides maps
    "mul": _elementwise("torch.mul({0}, {1}{out})", "multiply({0}, {1}{out})"),
    "scale": _elementwise("torch.mul({0}, {by}{out})", "multiply({0}, {c.by}{out})"),
    "neg": _elementwise("torch.neg({0}{out})", "negative({0}{out})"),
    "add": _elementwise("torch.add({0}, {1}{out})", "add({0}, {1}{out})"),
    "sub": _elementwise("torch.sub({0}, {1}{out})", "subtract({0}, {1}{out})"),
    "add_scaled": _elementwise(
        "torch.add({0}, {1}, alpha={by}{out})", "add({0}, multiply({1}, {c.by}){out})"
    ),
    "shift": _elementwise("torch.add({0}, {by}{out})", "add({0}, {c.by}{out})"),
    "affine": _elementwise(
        "torch.add(constant({shift}, like), {0}, alpha={by}{out})",
        "add(multiply({0}, {c.by}), {c.shift}{out})",
    ),
    "minus": _elementwise(
        "torch.sub(constant({shift}, like), {0}{out})", "subtract({c.shift}, {0}{out})"
    ),
    "reciprocal": _elementwise("torch.reciprocal({0}{out})", "reciprocal({0}{out})"),
    "sqrt": _elementwise("torch.sqrt({0}{out})", "sqrt({0}{out})"),
    "rsqrt": _elementwise("torch.rsqrt({0}{out})", "divide({c[1.0]}, sqrt({0}){out})"),
    "power": _elementwise(
        "torch.pow({0}, {exponent}{out})", "power({0}, {exponent}{out})", _SLOW_ELEMENTS
    ),
    "germ": _elementwise("near_zero({0}, {more})", ""),
    "shifted_germ": _elementwise("near_zero({0}, {more}, {1})", ""),
    # products
    "mm": _product("torch.mm({0}, {1}{out})", "{0}.dot({1}{out})"),
    "mm_scaled": _product(
        "torch.addmm(constant(0.0, like), {0}, {1}, beta=0, alpha={by}{out})",
        "multiply({0}.dot({1}), {c.by}{out})",
    ),
    "bmm": _product("torch.bmm({0}, {1}{out})", "matmul({0}, {1}{out})"),
    "bmm_scaled": _product(
        "torch.baddbmm(constant(0.0, like), {0}, {1}, beta=0, alpha={by}{out})",
        "multiply(matmul({0}, {1}), {c.by}{out})",
    ),
    "gram": _product("gram({0}, {1}{out})"),
    "gram_scaled": _product("gram({0}, {1}, {by}{out})"),
    "mv": _product("torch.mv({0}, {1}{out})", "{0}.dot({1}{out})"),
    "dot": _product("torch.dot({0}, {1}{out})", "{0}.dot({1})"),
    # over axes
    "sum": Kind("torch.sum({0})", "sum_({0}, None)"),
    "sum_axes": Kind("torch.sum({0}, {axes})", "sum_({0}, {axes})"),
    "logsumexp": Kind("torch.logsumexp({0}, {axes}{out})"),
    "amax": Kind("torch.amax({0}, {axes}{out})"),
    "peaks": Kind("peaks({0}, {axes})"),
    "product_of_others": Kind("product_of_others({0}, {order})"),
    # new tensors
    "full": Kind("like.new_full({shape}, {value})", "full({shape}, {value}, dtype)"),
    "zeros": Kind("like.new_zeros({shape})", "zeros({shape}, dtype)"),
    "pattern": Kind("pattern(like, {name!r}, {shape}, {start})"),
    "copy": Kind("torch.clone({0})", "array({0})"),
    "placed": Kind("placed({0}, {start}, {size})"),
    "placed_at": Kind("placed_at({0}, {start}, {size})"),
    # changes in place
    "fill": _change("{0}.fill_({by})", "{0}.fill({by})"),
    "put": _change("{0}.copy_({1})", "copyto({0}, {1})"),
    "put_scaled": _change("torch.mul({1}, {by}, out={0})", "multiply({1}, {c.by}, {0})"),
    "increase_by": _change("{0}.add_({by})", "add({0}, {c.by}, {0})"),
    "increase": _change("{0}.add_({1})", "add({0}, {1}, {0})"),
    "increase_scaled": _change("{0}.add_({1}, alpha={by})", "add({0}, multiply({1}, {c.by}), {0})"),
    # matrices
    "cholesky": _matrix("cholesky({0})", "np_cholesky({0})"),
    "cholesky_inverse": Kind("torch.cholesky_inverse({0}{out})"),
    "cholesky_solve": Kind("torch.cholesky_solve({0}, {1}{out})"),
    "inverse": _matrix("inverse({0}{out})", "np_inverse({0})"),
    "inverse_and_logdet": Kind("inverse_and_logdet({0})"),
    "solve": _matrix("solve({0}, {1})", "np_solve({0}, {1})"),
    "factors": Kind("factors({0})"),
    "lu_solve": Kind("torch.linalg.lu_solve({0}, {1}, {2}, adjoint={adjoint}{out})"),
    "lu_logdet": Kind("lu_logdet({0})"),
    "lu_log_det": Kind("lu_log_det({0}, {1})"),
    "log_det": Kind("log_det({0})"),
    "logdet": _matrix("torch.linalg.slogdet({0})[1]", "slogdet({0})[1]"),
    "det": _matrix("torch.linalg.det({0})", "det({0})"),
    "signed_svd": Kind("signed_svd({0})"),
    "eigen": Kind("eigen({0})"),
    "divided_differences": Kind("divided_differences({0}, {name!r}, {order})"),
    "expm": Kind("torch.linalg.matrix_exp({0})"),
    "expm_derivatives": Kind("expm_derivatives({0}, {order})"),
    "nuclear": Kind("torch.linalg.matrix_norm({0}, 'nuc')"),
    "polar": Kind("polar({0})"),
    "polar_slope": Kind("polar_slope({0})"),
    "pinverse": Kind("pinverse({0})"),
}
