"""Features of images: histograms of oriented gradients against scikit-image and OpenCV, decoding.

    python benchmarks/bias.py features [--quick]

Rows of the table that benchmarks/bias.py prints. Contestants take turns on one thread; the figures
are medians of CPU time. The images are photos of 96×96 pixels where the real data is there, else
noise. OpenCV votes for two neighbouring directions and cells and weighs by a Gaussian, so that its
numbers differ: it is a peer in speed only.
"""

import io
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from measure import Row, cpu_medians
from PIL import Image

from curate.bias import Source, as_sources
from curate.data.known.local_copy import find_copy
from curate.features import extract, hog, pixels

SIDE = 96


def rows(quick: bool) -> Iterator[Row]:
    """(what, ours, peer or floor, ratio, goal) of every measurement."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from gradients(64 if quick else 256, 3 if quick else 9)
        yield from from_files(100 if quick else 1000, 3 if quick else 7)
    finally:
        torch.set_num_threads(threads)


def gradients(count: int, repeats: int) -> Iterator[Row]:
    images = photos(count)
    values = images.float() / 255
    arrays = [np.ascontiguousarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
    contestants: dict[str, tuple[Callable[[], object], int]] = {
        "bytes": (lambda: hog(images), count),
        "numbers": (lambda: hog(values), count),
        "once": (lambda: images.view(torch.int64).sum(), count),
    }
    try:
        from skimage.feature import hog as by_skimage

        few = arrays[:8]
        contestants["skimage"] = (
            lambda: [
                by_skimage(image, 9, (8, 8), (2, 2), block_norm="L2-Hys", channel_axis=2)
                for image in few
            ],
            len(few),
        )
    except ImportError:
        pass
    try:
        import cv2

        cv2.setNumThreads(1)
        descriptor = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)
        contestants["OpenCV"] = (lambda: [descriptor.compute(image) for image in arrays], count)
    except ImportError:
        pass
    rate = {
        name: contestants[name][1] / seconds
        for name, seconds in cpu_medians(
            {name: run for name, (run, _) in contestants.items()}, repeats
        ).items()
    }
    for kind, peer, goal in (
        ("bytes", "skimage", "≥ 10"),
        ("bytes", "OpenCV", "≥ 1"),
        ("numbers", "skimage", ""),
        ("bytes", "once", ""),
    ):
        what = f"HOG, {SIDE}×{SIDE} colour, {'uint8' if kind == 'bytes' else 'float32'}"
        named = "read once" if peer == "once" else peer
        if peer in rate:
            ratio = f"{rate[kind] / rate[peer]:.3g}×"
            yield what, f"{rate[kind]:,.0f}/s", f"{named} {rate[peer]:,.0f}/s", ratio, goal
        else:
            yield what, f"{rate[kind]:,.0f}/s", f"{named}: not installed", "–", goal


def from_files(count: int, repeats: int) -> Iterator[Row]:
    """From JPEG files of 64×64 to features, against decoding alone, and from the cache."""
    place = find_copy(None, "natural-images/caltech101_64.parquet")
    if place is None:
        return
    source = as_sources([place])[0].take(np.arange(count))
    with tempfile.TemporaryDirectory() as folder:
        extract(source, "hog", cache=folder)
        seconds = cpu_medians(
            {
                "decode": lambda: pixels(source),
                "hog": lambda: extract(source, "hog"),
                "cached": lambda: extract(source, "hog", cache=folder),
                "Pillow": lambda: by_pillow(source),
            },
            repeats,
        )
    rate = {name: count / spent for name, spent in seconds.items()}
    for what, ours, floor, named in (
        ("common decode, 64×64 JPEG", "decode", "Pillow", "Pillow alone"),
        ("HOG from 64×64 JPEG files", "hog", "decode", "decoding them"),
        ("HOG from the cache", "cached", "hog", "computing them"),
    ):
        ratio = f"{rate[ours] / rate[floor]:.3g}×"
        yield what, f"{rate[ours]:,.0f}/s", f"{named} {rate[floor]:,.0f}/s", ratio, ""


def by_pillow(source: Source) -> None:
    for row in range(len(source)):
        with Image.open(io.BytesIO(source.encoded[row])) as image:
            image.load()


def photos(count: int) -> torch.Tensor:
    place = find_copy(None, "natural-images/imagenet_sample512_224.parquet")
    if place is None:
        generator = torch.Generator().manual_seed(0)
        shape = (count, 3, SIDE, SIDE)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return pixels(as_sources([place])[0].take(np.arange(count)), SIDE)
