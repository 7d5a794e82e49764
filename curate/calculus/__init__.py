"""A tensor calculus: exact gradients, Jacobians and Hessians as compact expressions.

Expressions are sums of products in Einstein notation (Laue, Mitterreiter & Giesen, NeurIPS 2018 and
AAAI 2020), so that forward and reverse mode are one operation and a unit tensor is never formed.
They are written in the matrix language of matrixcalculus.org (`parse`), with Python operators
on declared variables, or with `einsum`, and compiled to straight-line torch code.

    >>> from curate.calculus import parse
    >>> print(parse("x'*A*x").hessian("x"))
    A + A'
"""

from curate.calculus.compile.compiled import Compiled as Compiled
from curate.calculus.compile.explain import Explanation as Explanation
from curate.calculus.compile.lazy import Lazy as Lazy
from curate.calculus.errors import CalculusError as CalculusError
from curate.calculus.errors import ParseError as ParseError
from curate.calculus.errors import ShapeError as ShapeError
from curate.calculus.expression import Expression as Expression
from curate.calculus.language.functions import abs as abs
from curate.calculus.language.functions import adj as adj
from curate.calculus.language.functions import arccos as arccos
from curate.calculus.language.functions import arccosh as arccosh
from curate.calculus.language.functions import arcsin as arcsin
from curate.calculus.language.functions import arcsinh as arcsinh
from curate.calculus.language.functions import arctan as arctan
from curate.calculus.language.functions import arctanh as arctanh
from curate.calculus.language.functions import cos as cos
from curate.calculus.language.functions import cosh as cosh
from curate.calculus.language.functions import cumsum as cumsum
from curate.calculus.language.functions import det as det
from curate.calculus.language.functions import diag as diag
from curate.calculus.language.functions import digamma as digamma
from curate.calculus.language.functions import einsum as einsum
from curate.calculus.language.functions import erf as erf
from curate.calculus.language.functions import erfc as erfc
from curate.calculus.language.functions import exp as exp
from curate.calculus.language.functions import expm as expm
from curate.calculus.language.functions import expm1 as expm1
from curate.calculus.language.functions import eye as eye
from curate.calculus.language.functions import inv as inv
from curate.calculus.language.functions import kron as kron
from curate.calculus.language.functions import kron_tensor as kron_tensor
from curate.calculus.language.functions import lgamma as lgamma
from curate.calculus.language.functions import log as log
from curate.calculus.language.functions import log1p as log1p
from curate.calculus.language.functions import log2 as log2
from curate.calculus.language.functions import log10 as log10
from curate.calculus.language.functions import log_ndtr as log_ndtr
from curate.calculus.language.functions import logaddexp as logaddexp
from curate.calculus.language.functions import logdet as logdet
from curate.calculus.language.functions import logit as logit
from curate.calculus.language.functions import logm as logm
from curate.calculus.language.functions import logsumexp as logsumexp
from curate.calculus.language.functions import matrix as matrix
from curate.calculus.language.functions import max as max
from curate.calculus.language.functions import mean as mean
from curate.calculus.language.functions import min as min
from curate.calculus.language.functions import norm1 as norm1
from curate.calculus.language.functions import norm2 as norm2
from curate.calculus.language.functions import nuclear as nuclear
from curate.calculus.language.functions import pinv as pinv
from curate.calculus.language.functions import prod as prod
from curate.calculus.language.functions import relu as relu
from curate.calculus.language.functions import reshape as reshape
from curate.calculus.language.functions import scalar as scalar
from curate.calculus.language.functions import sigmoid as sigmoid
from curate.calculus.language.functions import sign as sign
from curate.calculus.language.functions import sin as sin
from curate.calculus.language.functions import sinh as sinh
from curate.calculus.language.functions import softmax as softmax
from curate.calculus.language.functions import softplus as softplus
from curate.calculus.language.functions import solve as solve
from curate.calculus.language.functions import sqrt as sqrt
from curate.calculus.language.functions import sqrtm as sqrtm
from curate.calculus.language.functions import stack as stack
from curate.calculus.language.functions import std as std
from curate.calculus.language.functions import sum as sum
from curate.calculus.language.functions import tan as tan
from curate.calculus.language.functions import tanh as tanh
from curate.calculus.language.functions import tensor as tensor
from curate.calculus.language.functions import tr as tr
from curate.calculus.language.functions import tril as tril
from curate.calculus.language.functions import triu as triu
from curate.calculus.language.functions import var as var
from curate.calculus.language.functions import vec as vec
from curate.calculus.language.functions import vector as vector
from curate.calculus.language.functions import where as where
from curate.calculus.language.functions import xlogy as xlogy
from curate.calculus.language.parse import parse as parse
from curate.calculus.several import Blocks as Blocks
from curate.calculus.several import Several as Several
from curate.calculus.several import program as program
from curate.moved import moved

__getattr__ = moved(
    __name__,
    {
        "Influence": "curate.scores.Influence",
        "influence": "curate.scores.influence",
    },
)
