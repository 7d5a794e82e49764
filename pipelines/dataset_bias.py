"""Dataset bias (Torralba & Efros, CVPR 2011; Liu & He, 2024) on photographs at hand.

    python pipelines/dataset_bias.py [--data FOLDER] [--out FOLDER] [--quick]

The paper's questions, in its order: can a classifier name the data set that an image is from
(section 2)? Does a detector trained on one set work on another (section 3.1)? What is an example
of one set worth on the market of another (section 3.2)? And ours: how much of it is in the files
rather than in the scenes, and are the examples that give their source away also the forgotten
ones? Features are cached in the folder of results.
"""

import argparse
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import Progress

import curate
from curate.bias import (
    Source,
    as_sources,
    cross_dataset,
    margin_vs_forgetting,
    market_value,
    name_that_dataset,
    nuisance_audit,
    two_sample,
)
from curate.experiment import run_arm
from curate.features import extract
from curate.report import save_identification
from curate.train import settings_for

FAIR = ("caltech101", "corel5k", "scene15", "pacs_photo", "office_caltech10", "tiny_imagenet")
TOPICS = ("clothing", "houses", "flower_photos", "asirra_cats", "humpback_whales")
FILES = {"tiny_imagenet": "tiny_imagenet_subset"}
EXAMPLES = 2000  # of CIFAR-10, as many as the others have


def photographs(folder: Path) -> dict[str, Source]:
    """The twelve sources by name; of Office-Caltech10 only the Caltech domain."""
    place = folder / "natural-images"
    files = {name: place / f"{FILES.get(name, name)}_64.parquet" for name in (*FAIR, *TOPICS)}
    sources = {source.name: source for source in as_sources(files)}
    sources["office_caltech10"] = replace(domains(folder)["caltech"], name="office_caltech10")
    (cifar10,) = as_sources({"cifar10": curate.data.load("cifar10", "train", folder)})
    rows = np.random.default_rng(0).permutation(len(cifar10))[:EXAMPLES]
    return {**sources, "cifar10": cifar10.take(np.sort(rows))}


def domains(folder: Path) -> dict[str, Source]:
    """The four domains of Office-Caltech10, which share ten classes."""
    loaded = curate.data.parquet(folder / "natural-images" / "office_caltech10_64.parquet")
    (whole,) = as_sources({"office": loaded})
    classes = tuple(name.split("/")[1] for name in loaded.class_names)  # "amazon/mug"
    marks = np.array(loaded.dataset["split"])
    return {
        name: replace(whole.take(np.flatnonzero(marks == name)), name=name, class_names=classes)
        for name in ("caltech", "amazon", "webcam", "dslr")
    }


def true_and_copied(folder: Path) -> list[Source]:
    """Different CIFAR-10 training images: one half true pixels, the other re-encoded as JPEG."""
    sheets = [folder / "cifar10-lossless-5k" / f"cifar10_batch_{part}.png" for part in (0, 1)]
    pixels = np.concatenate([np.asarray(Image.open(sheet).convert("RGB")) for sheet in sheets])
    true = [_png(image) for image in pixels.reshape(-1, 32, 32, 3)]
    (copied,) = as_sources({"JPEG copy": curate.data.load("cifar10", "train", folder)})
    return [
        Source("true pixels", np.arange(len(true)), encoded=true),
        copied.take(np.arange(len(true), 2 * len(true))),
    ]


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def forgotten(source: Source) -> Any:
    """The example table of a short training on one source."""
    images = torch.stack([torch.from_numpy(source.image(row).copy()) for row in range(len(source))])
    loaded = curate.data.ExampleSet(
        source.ids,
        source.labels,
        source.class_names,
        shape=(3, 32, 32),
        values=images.permute(0, 3, 1, 2).contiguous(),
    )
    recorder = curate.Recorder(source.ids)
    settings = settings_for(loaded.shape, model="cnn", epochs=8)
    run_arm("full", 0, loaded, loaded, settings, recorder=recorder)
    return recorder.table()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder that holds natural-images/")
    parser.add_argument("--out", type=Path, default=Path("runs/dataset_bias"))
    parser.add_argument("--network", action="store_true", help="also the network: hours")
    parser.add_argument("--quick", action="store_true", help="fewer examples, repeats and seeds")
    arguments = parser.parse_args()
    folder = Path(arguments.data or os.environ.get("CURATE_DATA", ""))
    if not (folder / "natural-images").is_dir():
        raise SystemExit(f"no natural-images in {folder}: name the data by --data or CURATE_DATA")
    torch.set_num_threads(1)
    console, cache = Console(width=150), arguments.out / "features"
    size = {"train_size": 200, "test_size": 60} if arguments.quick else {}
    sources = photographs(folder)
    games = {"twelve": list(sources), "fair": [*FAIR, "cifar10"]}
    office = list(domains(folder).values())

    def say(result: object) -> None:
        console.print(str(result), end="\n\n", highlight=False, markup=False)

    with Progress(console=console, transient=True) as bar:

        def follow(words: str) -> Callable[[int, int], None]:
            task = bar.add_task(words, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        def worth(function: Callable[..., Any], task: str) -> Any:
            return function(
                office,
                task=task,
                seeds=2 if arguments.quick else 20,
                cache=cache,
                on_progress=follow(f"{function.__name__}, {task}"),
            )

        # Section 3: train here, test there; what is an example worth there?
        for task in ("one-vs-rest", "classify"):
            cross, market = worth(cross_dataset, task), worth(market_value, task)
            say(cross)
            say(market)

        # Section 2: name that data set.
        for game, names in games.items():
            played = [sources[name] for name in names]
            repeats = 2 if arguments.quick else 20
            found = name_that_dataset(
                played, "hog", repeats=repeats, cache=cache, on_progress=follow(game), **size
            )
            say(f"The {game} sources\n{found}")
            page = save_identification(
                arguments.out / game,
                found,
                title=f"Name That Dataset: the {game} sources",
                sources=played,
                cross=cross,
                market=market,
            )
            say(page)
            if game == "twelve":  # do examples that give a source away get forgotten?
                table = forgotten(sources["cifar10"])
                say(margin_vs_forgetting(found, "cifar10", table))
            if arguments.network:
                found = name_that_dataset(
                    played, classifier="network", controls=False, on_progress=follow("network")
                )
                say(found)

        # The known trap: the same pictures, saved otherwise.
        pair = true_and_copied(folder)
        say(nuisance_audit(pair))
        rows = [extract(source, "hog", cache=cache)[:1000] for source in pair]
        say(two_sample(*rows))


if __name__ == "__main__":
    main()
