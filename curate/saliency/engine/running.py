"""How a model is run so that rules see its calls, and its gradient can be differentiated again."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from curate.saliency.engine.rules import Rules


def as_written() -> AbstractContextManager:
    """Compiled modules run as they were written: rules see their calls, and torch's compiled code
    cannot be differentiated twice."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled; the import takes seconds
        return nullcontext()
    return torch.compiler.set_stance("force_eager")  # type: ignore[no-any-return]


def plain_attention() -> AbstractContextManager:
    """Attention by plain products; of torch's fused ones only the first derivative exists."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH)  # type: ignore[no-any-return]


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """All that is known of torch's functions whose gradient cannot be differentiated is avoided."""
    with as_written(), plain_attention(), Rules():
        yield
