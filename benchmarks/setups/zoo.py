"""Small networks of torchvision, timm and Hugging Face, by name, for benchmarks/fixup_zoo.py."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

CLASSES = 10
VOCABULARY = 64


@dataclass(frozen=True)
class Net:
    """One network of the zoo.

    Attributes:
        build: makes it with its own normalisation and initialisation.
        batch: (inputs, labels) of random numbers.
        optimizer: 'sgd' (momentum 0.9) for convolutional networks, 'adam' for transformers.
        lr: its learning rate, for both contestants.
    """

    build: Callable[[], nn.Module]
    batch: Callable[[], tuple[Any, Tensor]]
    optimizer: str
    lr: float


class Logits(nn.Module):
    """A Hugging Face model as a function from inputs to logits (N, classes)."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The logits, one row per label."""
        return self.model(**inputs).logits.flatten(0, -2)


def zoo() -> dict[str, Net]:
    """Every network of the zoo by 'library/name'."""
    return {**_torchvision(), **_timm(), **_hugging_face()}


def _images(size: int, count: int = 8) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 3, size, size), torch.randint(0, CLASSES, (count,))


def _convolutional(build: Callable[[], nn.Module], size: int) -> Net:
    return Net(build, partial(_images, size), "sgd", 0.05)


def _transformer(build: Callable[[], nn.Module], size: int) -> Net:
    return Net(build, partial(_images, size), "adam", 1e-3)


def _torchvision() -> dict[str, Net]:
    from torchvision import models

    nets = {
        name: _convolutional(partial(getattr(models, name), num_classes=CLASSES), size)
        for name, size in {
            "resnet18": 32, "regnet_y_400mf": 32,
            "regnet_x_400mf": 32, "mobilenet_v2": 32, "mobilenet_v3_small": 32,
            "mobilenet_v3_large": 32, "mnasnet0_5": 32, "efficientnet_b0": 32,
            "densenet121": 32, "shufflenet_v2_x0_5": 32,
            "squeezenet1_1": 32, "vgg11_bn": 32,
        }.items()
    }  # fmt: skip
    vit = partial(
        models.VisionTransformer, image_size=32, patch_size=8, num_layers=4, num_heads=4,
        hidden_dim=64, mlp_dim=128, num_classes=CLASSES,
    )  # fmt: skip
    swin = partial(
        models.SwinTransformer, patch_size=[2, 2], embed_dim=32, depths=[2, 2], num_heads=[2, 4],
        window_size=[4, 4], num_classes=CLASSES,
    )  # fmt: skip
    nets["vision_transformer"] = _transformer(vit, 32)
    nets["swin_transformer"] = _transformer(swin, 32)
    setting = [models.convnext.CNBlockConfig(32, 64, 2), models.convnext.CNBlockConfig(64, None, 2)]
    nets["bottleneck_resnet"] = _convolutional(
        partial(models.ResNet, models.resnet.Bottleneck, [1, 1, 1, 1], num_classes=CLASSES), 32
    )
    nets["convnext"] = _transformer(partial(models.ConvNeXt, setting, num_classes=CLASSES), 32)
    return {f"torchvision/{name}": net for name, net in nets.items()}


def _timm() -> dict[str, Net]:
    import timm

    convolutional = {
        "resnet10t": 32, "seresnet18": 32, "resnetv2_18": 32, "regnety_002": 32,
        "regnetz_005": 32, "skresnet18": 32,

        "efficientnet_b0": 32, "tf_efficientnetv2_b0": 32, "mobilenetv3_small_050": 32,
        "mobilenetv4_conv_small_050": 32, "ghostnet_050": 32, "mixnet_s": 32, "lcnet_050": 32,
        "tinynet_e": 32, "semnasnet_050": 32, "rexnet_100": 32, "repghostnet_050": 32,
        "dla46_c": 32, "hgnetv2_b0": 32, "nf_resnet26": 32, "dpn68": 32, "dpn68b": 32,
        "resnet26d": 32, "resnest14d": 32, "selecsls42": 32, "ese_vovnet19b_dw": 32,
        "repvgg_a0": 32,
    }  # fmt: skip
    nets = {
        name: _convolutional(partial(timm.create_model, name, num_classes=CLASSES), size)
        for name, size in convolutional.items()
    }
    nets["res2net"] = _convolutional(
        partial(
            timm.models.ResNet, timm.models.res2net.Bottle2neck, (1, 1, 1, 1), base_width=14,
            block_args={"scale": 4}, channels=(16, 32, 64, 128), num_classes=CLASSES,
        ), 32
    )  # fmt: skip
    nets["mixer"] = _transformer(
        partial(timm.models.MlpMixer, num_classes=CLASSES, img_size=32, patch_size=8,
                num_blocks=4, embed_dim=64), 32
    )  # fmt: skip
    transformers: dict[str, tuple[int, dict[str, Any]]] = {
        "vit_tiny_patch16_224": (32, {"img_size": 32, "patch_size": 8, "depth": 4}),
        "deit3_small_patch16_224": (32, {"img_size": 32, "patch_size": 8, "depth": 4}),
        "cait_xxs24_224": (32, {"img_size": 32, "patch_size": 8, "depth": 4}),
        "beit_base_patch16_224": (
            32, {"img_size": 32, "patch_size": 8, "depth": 3, "embed_dim": 96, "num_heads": 3}),
                "swin_tiny_patch4_window7_224": (
            32, {"img_size": 32, "patch_size": 2, "window_size": 4, "embed_dim": 48,
                 "depths": (2, 2), "num_heads": (2, 4)}),
        "convnext_atto": (32, {}), "convnextv2_atto": (32, {}),
        "poolformer_s12": (32, {}),
        "edgenext_xx_small": (64, {}), "mobilevit_xxs": (64, {}), "pvt_v2_b0": (64, {}),
        "xcit_nano_12_p16_224": (64, {"img_size": 64}),
        "mambaout_femto": (32, {}), "inception_next_atto": (32, {}), "fastvit_t8": (64, {}),
    }  # fmt: skip
    for name, (size, options) in transformers.items():
        build = partial(timm.create_model, name, num_classes=CLASSES, **options)
        nets[name] = _transformer(build, size)
    return {f"timm/{name}": net for name, net in nets.items()}


def _hugging_face() -> dict[str, Net]:
    import transformers as hf

    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
            "intermediate_size": 64}  # fmt: skip
    text = {**size, "vocab_size": VOCABULARY}
    image = {**size, "image_size": 32, "patch_size": 8, "num_labels": CLASSES}
    gpt = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
    models: dict[str, tuple[str, Any, Any, dict[str, Any]]] = {
        "bert": ("classify", hf.BertForSequenceClassification, hf.BertConfig,
                 {**text, "num_labels": CLASSES}),
        "bert-masked": ("words", hf.BertForMaskedLM, hf.BertConfig, text),
        "roberta": ("classify", hf.RobertaForSequenceClassification, hf.RobertaConfig,
                    {**text, "num_labels": CLASSES}),
        "distilbert": ("classify", hf.DistilBertForSequenceClassification, hf.DistilBertConfig,
                       {"vocab_size": VOCABULARY, "dim": 32, "n_layers": 3, "n_heads": 4,
                        "hidden_dim": 64, "num_labels": CLASSES}),
        "albert": ("classify", hf.AlbertForSequenceClassification, hf.AlbertConfig,
                   {**text, "embedding_size": 16, "num_labels": CLASSES}),
        "electra": ("classify", hf.ElectraForSequenceClassification, hf.ElectraConfig,
                    {**text, "embedding_size": 32, "num_labels": CLASSES}),
        "gpt2": ("words", hf.GPT2LMHeadModel, hf.GPT2Config, gpt),
        "gpt-neox": ("words", hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig, text),
        "opt": ("words", hf.OPTForCausalLM, hf.OPTConfig,
                {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3,
                 "num_attention_heads": 4, "ffn_dim": 64, "word_embed_proj_dim": 32}),
        "bloom": ("words", hf.BloomForCausalLM, hf.BloomConfig,
                  {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 3, "n_head": 4}),
        "llama": ("words", hf.LlamaForCausalLM, hf.LlamaConfig, text),
        "qwen2": ("words", hf.Qwen2ForCausalLM, hf.Qwen2Config,
                  {**text, "num_key_value_heads": 2}),
        "t5": ("pairs", hf.T5ForConditionalGeneration, hf.T5Config,
               {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2,
                "num_heads": 4, "decoder_start_token_id": 0}),
        "bart": ("pairs", hf.BartForConditionalGeneration, hf.BartConfig,
                 {"vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2,
                  "decoder_layers": 2, "encoder_attention_heads": 4,
                  "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
                  "max_position_embeddings": 64}),
        "deberta": ("classify", hf.DebertaForSequenceClassification, hf.DebertaConfig,
                    {**text, "num_labels": CLASSES}),
        "mobilebert": ("classify", hf.MobileBertForSequenceClassification, hf.MobileBertConfig,
                       {**text, "embedding_size": 16, "intra_bottleneck_size": 16,
                        "num_labels": CLASSES}),
        "vit": ("images", hf.ViTForImageClassification, hf.ViTConfig, image),
        "deit": ("images", hf.DeiTForImageClassification, hf.DeiTConfig, image),
        "resnet": ("convolve", hf.ResNetForImageClassification, hf.ResNetConfig,
                   {"depths": [1, 2], "hidden_sizes": [16, 32], "embedding_size": 16,
                    "num_labels": CLASSES}),
        "convnext": ("images", hf.ConvNextForImageClassification, hf.ConvNextConfig,
                     {"depths": [2, 2], "hidden_sizes": [32, 64], "num_stages": 2,
                      "num_labels": CLASSES}),
        "mobilenet_v2": ("convolve", hf.MobileNetV2ForImageClassification, hf.MobileNetV2Config,
                         {"num_labels": CLASSES}),
        "mamba": ("words", hf.MambaForCausalLM, hf.MambaConfig,
                  {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2}),
    }  # fmt: skip
    nets = {}
    for name, (task, model, config, options) in models.items():
        build = partial(_built, model, config, options)
        convolves = task == "convolve"
        nets[f"transformers/{name}"] = Net(
            build, partial(_task, task), "sgd" if convolves else "adam",
            0.05 if convolves else 1e-3,
        )  # fmt: skip
    return nets


def _built(model: Any, config: Any, options: dict[str, Any]) -> nn.Module:
    return Logits(model(config(**options)))


def _task(task: str) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs of a Hugging Face model by name, and labels in one row."""
    if task in ("images", "convolve"):
        images, labels = _images(32)
        return {"pixel_values": images}, labels
    tokens = torch.randint(3, VOCABULARY, (8, 12))
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if task == "classify":
        return inputs, torch.randint(0, CLASSES, (8,))
    targets = torch.randint(3, VOCABULARY, (8, 12))
    if task == "pairs":
        inputs["decoder_input_ids"] = targets.roll(1, 1)
    return inputs, targets.flatten()
