"""A tensor calculus: exact gradients, Jacobians and Hessians as compact expressions.

Expressions are sums of products in Einstein notation (Laue, Mitterreiter & Giesen, NeurIPS 2018 and
AAAI 2020), so that forward and reverse mode are one operation and a unit tensor is never formed.
They are written in the matrix language of matrixcalculus.org (`parse`), with Python operators
on declared variables, or with `einsum`, and compiled to straight-line torch code.

    >>> from curate.calculus import parse
    >>> print(parse("x'*A*x").hessian("x"))
    A + A'
"""

from curate.calculus.compiled import Compiled as Compiled
from curate.calculus.errors import CalculusError as CalculusError
from curate.calculus.errors import ParseError as ParseError
from curate.calculus.errors import ShapeError as ShapeError
from curate.calculus.explain import Explanation as Explanation
from curate.calculus.expression import Expression as Expression
from curate.calculus.functions import abs as abs
from curate.calculus.functions import arccos as arccos
from curate.calculus.functions import arcsin as arcsin
from curate.calculus.functions import arctan as arctan
from curate.calculus.functions import cos as cos
from curate.calculus.functions import det as det
from curate.calculus.functions import diag as diag
from curate.calculus.functions import einsum as einsum
from curate.calculus.functions import erf as erf
from curate.calculus.functions import exp as exp
from curate.calculus.functions import eye as eye
from curate.calculus.functions import inv as inv
from curate.calculus.functions import log as log
from curate.calculus.functions import logdet as logdet
from curate.calculus.functions import logsumexp as logsumexp
from curate.calculus.functions import matrix as matrix
from curate.calculus.functions import mean as mean
from curate.calculus.functions import norm1 as norm1
from curate.calculus.functions import norm2 as norm2
from curate.calculus.functions import relu as relu
from curate.calculus.functions import scalar as scalar
from curate.calculus.functions import sigmoid as sigmoid
from curate.calculus.functions import sign as sign
from curate.calculus.functions import sin as sin
from curate.calculus.functions import softmax as softmax
from curate.calculus.functions import softplus as softplus
from curate.calculus.functions import solve as solve
from curate.calculus.functions import sqrt as sqrt
from curate.calculus.functions import sum as sum
from curate.calculus.functions import tan as tan
from curate.calculus.functions import tanh as tanh
from curate.calculus.functions import tensor as tensor
from curate.calculus.functions import tr as tr
from curate.calculus.functions import vector as vector
from curate.calculus.influence import Influence as Influence
from curate.calculus.influence import influence as influence
from curate.calculus.lazy import Lazy as Lazy
from curate.calculus.text import parse as parse
