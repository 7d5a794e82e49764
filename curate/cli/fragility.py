"""``curate fragility``: do the explanations of a model's predictions survive small changes?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import Data, Json, Seed, check_range
from curate.cli.output import check_out, write_json
from curate.errors import CurateError


def fragility(
    model: Annotated[
        str,
        typer.Argument(
            help="run:FOLDER of a curate run, or a model of torchvision or timm (with --weights)."
        ),
    ],
    dataset: Annotated[str, typer.Argument(help="digits, mnist, cifar10, a path, or hf:NAME.")],
    weights: Annotated[
        str | None, typer.Option(help="State dict: .safetensors, or torch.save of plain tensors.")
    ] = None,
    arm: Annotated[str, typer.Option(help="Which of a run's models.")] = "all",
    model_seed: Annotated[int, typer.Option(help="Which seed of the arm.")] = 0,
    split: Annotated[str, typer.Option(help="'test' or 'train'.")] = "test",
    images: Annotated[int, typer.Option(help="So many, drawn at random.")] = 64,
    method: Annotated[
        str,
        typer.Option(
            help="gradient, gradient_x_input, integrated_gradients, deeplift, smoothgrad, "
            "grad_cam or guided_backprop."
        ),
    ] = "gradient",
    attack: Annotated[str, typer.Option(help="'iterative' (the paper's) or 'strong'.")] = (
        "iterative"
    ),
    objective: Annotated[str, typer.Option(help="'topk', 'centre' or 'target'.")] = "topk",
    epsilon: Annotated[float, typer.Option(help="Largest change of a pixel, of 255.")] = 8.0,
    iterations: Annotated[int, typer.Option(help="Steps of the attack.")] = 300,
    k: Annotated[int | None, typer.Option(help="Top pixels; a tenth, 1000 at most.")] = None,
    certify: Annotated[
        str, typer.Option(help="Noise of the certificates, such as 0.15,0.25; 'none': none.")
    ] = "0.15",
    mean: Annotated[str | None, typer.Option(help="Of each channel, such as 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Of each channel.")] = None,
    data: Data = None,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/fragility.")] = None,
    as_json: Json = False,
) -> None:
    """Attack the explanations of a model: what is left of them, with controls and a report."""
    import torch

    from curate.cli.classifiers import classifier
    from curate.data import load
    from curate.report import save_fragility
    from curate.saliency import fragility as audit
    from curate.stats import generator

    check_range("--images", images, 1, 1_000_000)
    check_range("--iterations", iterations, 1, 100_000)
    check_out(out)
    examples = load(dataset, split, data)  # type: ignore[arg-type]
    if len(examples.shape) != 3:
        raise CurateError(f"dataset: its examples are {examples.shape}, not images (C, H, W)")
    classes = int(examples.labels.max()) + 1
    classes = len(examples.class_names) if examples.class_names is not None else classes
    net, normalise = classifier(model, weights, classes, arm, model_seed)
    given = _channels(mean, std)
    chosen = generator(seed).permutation(len(examples))[:images]
    chosen.sort()
    pixels = torch.stack([examples[row][0] for row in chosen.tolist()])
    side = examples.shape[1] * examples.shape[2]
    found = audit(
        net,
        pixels,
        method,
        example_ids=[examples.ids[row] for row in chosen.tolist()],
        labels=torch.from_numpy(examples.labels[chosen]),
        wrong="skip",
        attack=attack,  # type: ignore[arg-type]
        objective=objective,
        k=max(1, min(1000, side // 10)) if k is None else k,
        epsilon=epsilon / 255,
        iterations=iterations,
        certify=_numbers("--certify", certify) if certify != "none" else (),
        normalise=normalise if given is None else given,
        seed=seed,
    )
    folder = Path(out) if out is not None else Path("runs") / "fragility"
    facts = {
        "model": model,
        "data set": f"{dataset}, {split}",
        "method": method,
        "attack": found.attacked.name,
        "ε": f"{epsilon:g} of 255",
        "iterations": str(iterations),
        "seed": str(seed),
    }
    page = save_fragility(folder, found, title=f"{method} of {model}", facts=facts)
    summary = {"summary": found.summary.to_pylist(), "k": found.k, **facts}
    write_json(summary, folder / "summary.json")
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        print(found, page, sep="\n\n")


def _channels(mean: str | None, std: str | None) -> tuple[list[float], list[float]] | None:
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise CurateError("--mean, --std: one of them; give both or none")
    return _numbers("--mean", mean), _numbers("--std", std)


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise CurateError(f"{option}: {text!r}; give numbers such as 0.15,0.25") from None
