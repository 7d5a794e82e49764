"""Small pictures to test with."""

import io

import numpy as np
from PIL import Image


def pixels(seed, height=8, width=8, channels=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(array, format="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format=format, **options)
    return stream.getvalue()


def write_folder(root, names, **options):
    """One picture a name such as "cat/1.png"; gives the bytes by name."""
    contents = {}
    for seed, name in enumerate(names):
        format = "JPEG" if name.lower().endswith(("jpg", "jpeg")) else "PNG"
        contents[name] = encoded(pixels(seed, **options), format)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(contents[name])
    return contents
