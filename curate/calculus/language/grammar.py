"""The matrix language, as matrixcalculus.org takes it: grammar only."""

from functools import lru_cache
from typing import Any

GRAMMAR = r"""
?start: comparison
?comparison: sum
    | sum COMPARE sum      -> compare
?sum: product
    | sum "+" product      -> plus
    | sum "-" product      -> minus
?product: unary
    | product "*" unary    -> times
    | product ".*" unary   -> elementwise_times
    | product "/" unary    -> over
    | product "./" unary   -> elementwise_over
    | product "\\" unary   -> left_over
?unary: power
    | "-" unary            -> negative
    | "+" unary
?power: postfix
    | postfix ("^" | "**") exponent  -> power
    | postfix ".^" exponent          -> elementwise_power
?exponent: power
    | "-" exponent         -> negative
    | "+" exponent
?postfix: atom
    | postfix TRANSPOSE    -> transpose
    | postfix "[" key ("," key)* "]"  -> item
key: sum                   -> place
    | [sum] ":" [sum]      -> slice
?atom: NUMBER              -> number
    | NAME                 -> name
    | NAME "(" [argument ("," argument)*] ")"  -> call
    | NAME "(" STRING ("," sum)* ")"  -> contraction
    | "(" comparison ")"
?argument: comparison
    | NAME "=" sum         -> keyword

TRANSPOSE: "'" | ".'"
COMPARE: ">=" | "<=" | "==" | "!=" | ">" | "<"
STRING: /"[A-Za-z, >-]*"/
NUMBER.2: /(\d+(\.(?![*\/^'])\d*)?|\.\d+)([eE][+-]?\d+)?/
NAME: /[^\W\d]\w*/
%import common.WS
%ignore WS
"""


@lru_cache(maxsize=1)
def parser() -> Any:
    """The LALR parser, made when first needed."""
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", propagate_positions=True)
