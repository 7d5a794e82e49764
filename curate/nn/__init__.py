"""Networks with honest per-example gradients: Fixup, and light and dynamic convolutions."""

import warnings
from collections.abc import Callable
from functools import partial

from torch import nn

from curate.nn.fixup.checkpointing import CheckpointSequential as CheckpointSequential
from curate.nn.fixup.checkpointing import checkpoint_ as checkpoint_
from curate.nn.fixup.diagnosis import Diagnosis as Diagnosis
from curate.nn.fixup.diagnosis import diagnose as diagnose
from curate.nn.fixup.errors import FixupError as FixupError
from curate.nn.fixup.fixup import fixup_ as fixup_
from curate.nn.fixup.groups import fixup_param_groups as fixup_param_groups
from curate.nn.fixup.groups import scalar_lr_ratio as scalar_lr_ratio
from curate.nn.fixup.nets.resnet_cifar import FixupBasicBlock as FixupBasicBlock
from curate.nn.fixup.nets.resnet_cifar import FixupResNetCIFAR as FixupResNetCIFAR
from curate.nn.fixup.nets.resnet_cifar import fixup_resnet_cifar as fixup_resnet_cifar
from curate.nn.fixup.nets.resnet_imagenet import FixupBottleneck as FixupBottleneck
from curate.nn.fixup.nets.resnet_imagenet import FixupResNetImageNet as FixupResNetImageNet
from curate.nn.fixup.nets.resnet_imagenet import fixup_resnet as fixup_resnet
from curate.nn.fixup.report import FixupReport as FixupReport
from curate.nn.fixup.rule import branch_scale as branch_scale
from curate.nn.fixup.rule import fixup_init_ as fixup_init_
from curate.nn.fixup.scalars import FixupBias as FixupBias
from curate.nn.fixup.scalars import FixupScale as FixupScale
from curate.nn.light.errors import LightConvError as LightConvError
from curate.nn.light.functional.conv1d import dynamic_conv1d as dynamic_conv1d
from curate.nn.light.functional.conv1d import lightweight_conv1d as lightweight_conv1d
from curate.nn.light.modules.block import LightConvBlock as LightConvBlock
from curate.nn.light.modules.classifier import TextClassifier as TextClassifier
from curate.nn.light.modules.dynamic import DynamicConv1d as DynamicConv1d
from curate.nn.light.modules.encoder_decoder import EncoderDecoder as EncoderDecoder
from curate.nn.light.modules.encoder_decoder import beam_search as beam_search
from curate.nn.light.modules.language_model import LanguageModel as LanguageModel
from curate.nn.light.modules.layer import LightConvLayer as LightConvLayer
from curate.nn.light.modules.lightweight import LightweightConv1d as LightweightConv1d

_RESNETS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    **{f"fixup_resnet{n}": (fixup_resnet_cifar, n) for n in (20, 32, 44, 56, 110, 1202)},
    **{f"fixup_resnet{n}": (fixup_resnet, n) for n in (18, 34, 50, 101, 152)},
}


def __getattr__(name: str) -> Callable[..., nn.Module]:
    """The old names of ResNets of one depth."""
    if name not in _RESNETS:
        raise AttributeError(f"module 'curate.nn' has no attribute {name!r}")
    build, depth = _RESNETS[name]
    function = "fixup_resnet" if build is fixup_resnet else "fixup_resnet_cifar"
    warnings.warn(
        f"curate.nn.{name} is now curate.nn.{function}({depth}); "
        "the old name goes with version 1.0",
        DeprecationWarning,
        stacklevel=2,
    )
    return partial(build, depth)
