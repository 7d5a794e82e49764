"""Public names that live elsewhere now, still reachable where they were."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def moved(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that forwards old names with a DeprecationWarning.

    Args:
        package: the package that had the names.
        homes: old name -> where it is now, as ``"package.name"``.
    """

    def forward(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        warnings.warn(
            f"{package}.{name} is now {homes[name]}; the old name goes with version 1.0",
            DeprecationWarning,
            stacklevel=2,
        )
        home, _, attribute = homes[name].rpartition(".")
        return getattr(importlib.import_module(home), attribute)

    return forward
