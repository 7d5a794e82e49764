"""Light and dynamic convolutions (Wu, Fan, Baevski, Dauphin & Auli, ICLR 2019)."""

from curate.nn.light.block import LightConvBlock as LightConvBlock
from curate.nn.light.classifier import TextClassifier as TextClassifier
from curate.nn.light.dynamic import DynamicConv1d as DynamicConv1d
from curate.nn.light.encoder_decoder import EncoderDecoder as EncoderDecoder
from curate.nn.light.encoder_decoder import beam_search as beam_search
from curate.nn.light.errors import LightConvError as LightConvError
from curate.nn.light.functional import dynamic_conv1d as dynamic_conv1d
from curate.nn.light.functional import lightweight_conv1d as lightweight_conv1d
from curate.nn.light.language_model import LanguageModel as LanguageModel
from curate.nn.light.layer import LightConvLayer as LightConvLayer
from curate.nn.light.lightweight import LightweightConv1d as LightweightConv1d
