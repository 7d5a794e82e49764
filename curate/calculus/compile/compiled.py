"""Compiled expressions: one program per set of shapes, the last of which are kept."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from curate.calculus.compile.bind import (
    as_dtype,
    as_tensors,
    check_declarations,
    declarations,
    sizes_of,
    without_underscores,
)
from curate.calculus.compile.codegen import function
from curate.calculus.compile.plan import Planner
from curate.calculus.errors import CalculusError, ShapeError
from curate.calculus.graph.node import Dim, Node, variables, walk
from curate.calculus.graph.sizes import size_in, symbols_of
from curate.calculus.recent import Recent
from curate.calculus.rules.structure import apply_structure
from curate.calculus.scoped import Scoped
from curate.calculus.show.render import shortened


class Compiled:
    """A function of named tensors (or arrays) that evaluates an expression.

    Values of variables that the expression no longer reads may be given; those that it reads
    have to be. Numpy in gives numpy out. The result carries no gradient.
    """

    def __init__(
        self, expression: Scoped, dtype: Any, device: Any, out: Any, args: Sequence[str] = ()
    ) -> None:
        self.expression = expression
        self.args = _checked(args, expression.scope)
        self._declared = declarations(expression.scope)
        self.node = apply_structure(expression.node)
        self.dtype = as_dtype(dtype)
        self.device = None if device is None else torch.device(device)
        self.out = out
        self._programs: Recent[tuple[Any, tuple[str, ...]]] = Recent()

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: programs are compiled again, and ``out`` is a buffer of its own."""
        return {k: getattr(self, k) for k in ("expression", "dtype", "device", "out", "args")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @property
    def sources(self) -> dict[tuple, str]:
        """The texts of the programs that are kept, by the shapes and dtypes of the values."""
        return {key: run.source for key, (run, _) in list(self._programs.items())}

    def __repr__(self) -> str:
        count = len(self._programs)
        end = f", {count} program{'s' if count != 1 else ''})"
        return f"Compiled({shortened(str(self.expression), 89 - len(end))}{end}"

    def __call__(self, /, *positional: Any, out: Any = None, **values: Any) -> Any:
        """Evaluate.

        Args:
            out: a tensor or array of the result's shape and dtype to write into; the value of the
                variable of that name, where there is one.
            *positional: values of the variables that ``args`` names, in that order.
            **values: one tensor, array or number per variable.

        Raises:
            TypeError: a value without the name of its variable, or two values for one.
            CalculusError: a value is missing or of the wrong type.
            ShapeError: shapes do not fit.
        """
        if positional:
            values = self._named(positional, values)
        if out is None:
            out = self.out
        elif "out" in self.expression.scope:
            values["out"], out = out, self.out
        key: list[Any] = [*values]
        for value in values.values():
            if type(value) is not torch.Tensor or value.requires_grad:
                return self._converted(out, values)
            key += (value.shape, value.dtype, value.is_cpu)
        found = self._programs.find(tuple(key))
        if found is None or self.device is not None:
            return self._converted(out, values)
        run, names = found
        if self._declared:
            check_declarations(self._declared, values)
        arguments = [values[name] for name in names]
        like = arguments[0] if arguments else value
        if out is None:
            try:
                return run(like, *arguments)
            except (RuntimeError, MemoryError) as error:
                raise self._told(error, run) from error
        return self._into(out, run, like, arguments)

    def _named(self, positional: tuple[Any, ...], values: dict[str, Any]) -> dict[str, Any]:
        """All values by name."""
        if len(positional) > len(self.args):
            raise unnamed(self.expression.scope, self.args)
        named = dict(zip(self.args, positional, strict=False))
        if twice := sorted(set(named) & set(values)):
            raise TypeError(f"{twice[0]}: given by position and by name; give it once")
        return {**named, **values}

    def _converted(self, out: Any, values: dict[str, Any]) -> Any:
        values = without_underscores(values, self.expression.scope)
        given = values or {"": torch.zeros((), dtype=self.dtype or torch.float64)}
        tensors = as_tensors(given, self.dtype, self.device)
        like = next(iter(tensors.values()))
        run, names = self._program(values, tensors, like)
        check_declarations(self._declared, tensors)
        arguments = [tensors[name] for name in names]
        if out is not None:
            return self._into(out, run, like, arguments)
        try:
            result = run(like, *arguments)
        except (RuntimeError, MemoryError) as error:
            raise self._told(error, run) from error
        if any(isinstance(value, torch.Tensor) for value in values.values()):
            return result
        return result.numpy() if result.device.type == "cpu" and self.device is None else result

    def _told(self, error: Exception, run: Any) -> Exception:
        """The error, with what helps where memory is short."""
        short = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate" in str(error)
        if not short:
            return error
        return CalculusError(
            f"out of memory: the result has the shape {tuple(run.shape)}, "
            f"{math.prod(run.shape):,} elements; lazy(...) never spreads a derivative out, and "
            "explain(...) lists what every step needs"
        )

    def _program(
        self, values: dict[str, Any], tensors: dict[str, torch.Tensor], like: torch.Tensor
    ) -> tuple[Any, tuple[str, ...]]:
        key: list[Any] = [*values]
        for name in values:
            key += (tensors[name].shape, like.dtype, like.is_cpu)
        found = self._programs.find(tuple(key))
        if found is None:
            shapes = {name: tuple(tensors[name].shape) for name in values}
            small = like.is_cpu and like.dtype in (torch.float32, torch.float64)
            made = self.build(shapes, like.dtype if small else None)
            found = self._programs.keep(tuple(key), made)
        return found

    def build(
        self, shapes: dict[str, tuple[int, ...]], dtype: torch.dtype | None = None
    ) -> tuple[Any, tuple[str, ...]]:
        """The program for values of these shapes, and the names that it reads, in order.

        Args:
            dtype: float32 or float64 where the values lie on the CPU.
        """
        planner = planner_for(self.expression, shapes, self.node)
        root = planner.lower(self.node)
        assert not isinstance(root, list)
        run, source = function(planner.program, [root], dtype=dtype)
        run.shape, run.source = planner.shape(self.node), source
        return run, tuple(planner.program.inputs)

    def _into(self, out: Any, run: Any, like: torch.Tensor, arguments: list[torch.Tensor]) -> Any:
        target = torch.from_numpy(out) if isinstance(out, np.ndarray) else out
        if not isinstance(target, torch.Tensor):
            raise CalculusError(f"out: a tensor or array is needed, not {type(out).__name__}")
        if target.shape != run.shape:
            raise ShapeError(
                f"out: it has the shape {tuple(target.shape)}, but the result has {run.shape}"
            )
        if target.dtype != like.dtype or target.device != like.device:
            raise CalculusError(
                f"out: it is {target.dtype} on {target.device}, but the result is {like.dtype} on "
                f"{like.device}"
            )
        apart = target.is_contiguous() and _apart(target, arguments)
        if not apart or target.requires_grad:
            target.detach().copy_(run(like, *arguments))
        else:
            run.into(target, like, *arguments)
        return out


def _checked(args: Sequence[str], scope: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the variables that may be given by position.

    Raises:
        CalculusError: a name that is no variable's, or that occurs twice.
    """
    names = (args,) if isinstance(args, str) else tuple(args)
    for k, name in enumerate(names):
        if name not in scope or name in names[:k]:
            raise CalculusError(
                f"args: {name!r} in {list(names)}; name each of {sorted(scope)} at most once"
            )
    return names


def unnamed(scope: Mapping[str, Any], args: Sequence[str] = ()) -> TypeError:
    """The error for values that are given by position and have no name."""
    if args:
        return TypeError(f"values by position: at most {len(args)}, those of {', '.join(args)}")
    forms = [name if name.isidentifier() and not keyword.iskeyword(name) else "" for name in scope]
    form = ", ".join(f"{name}=..." for name in sorted(forms) if name)
    return TypeError(
        f"values are given by name: call it as f({form}), or name those that are given by position "
        "in compile(args=[...]); the result is written into out=..."
    )


def _apart(target: torch.Tensor, arguments: list[torch.Tensor]) -> bool:
    """Whether a contiguous tensor surely shares no memory with any of the others."""
    start = target.data_ptr()
    end = start + target.nbytes
    for argument in arguments:
        low = argument.data_ptr()
        if low >= end or (argument.is_contiguous() and low + argument.nbytes <= start):
            continue
        if argument.untyped_storage().data_ptr() == target.untyped_storage().data_ptr():
            return False
    return True


def planner_for(expression: Scoped, shapes: dict[str, tuple[int, ...]], *nodes: Node) -> Planner:
    """A planner with the sizes that these shapes give.

    Raises:
        CalculusError: a variable that the expression reads has no value, or a size is unknown.
    """
    sizes = sizes_of(expression.scope, shapes, expression.reasons)
    needed = variables(*nodes)
    missing = sorted(set(needed) - set(shapes))
    if missing:
        raise CalculusError(f"{missing[0]}: no value given; the expression reads {sorted(needed)}")
    unknown: set[Dim] = {
        dim
        for below in walk(*nodes)
        for dim in (*below.shape, *([below.data] if below.kind == "size" else []))
        if size_in(dim, sizes) is None
    }
    if unknown:
        helpful = sorted(
            name
            for name, variable in expression.scope.items()
            if any(symbols_of(dim) & set(variable.shape) for dim in unknown)
        )
        hint = f"; give a value of {' or '.join(helpful)} too" if helpful else ""
        raise CalculusError(f"the size {sorted(map(str, unknown))[0]} follows from no value{hint}")
    return Planner(sizes)
