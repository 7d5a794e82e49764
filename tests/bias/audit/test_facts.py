"""What headers say, against the options that the files were saved with."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from curate.bias.audit.facts import read_facts
from curate.errors import CurateError

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


def encode(kind, image=PICTURE, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 49, 50, 51, 75, 80, 90, 95, 99, 100])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_that_a_jpeg_was_saved_with(quality, mode):
    facts = read_facts(encode("JPEG", PICTURE.convert(mode), quality=quality), 0)
    # below 6 almost every step is at its limit of 255, so that tables hardly differ
    assert abs(facts.quality - quality) <= (5 if quality < 6 else 0)


def test_steps_fall_as_quality_rises():
    steps = [read_facts(encode("JPEG", quality=quality), 0).steps for quality in range(1, 101)]
    assert all(one >= other for one, other in pairwise(steps))
    assert steps[-1] == 0.0  # every step is 1


@pytest.mark.parametrize(("named", "option"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_subsampling(named, option):
    assert read_facts(encode("JPEG", subsampling=option), 0).subsampling == named


def test_a_grey_jpeg_has_no_chroma_to_subsample():
    facts = read_facts(encode("JPEG", PICTURE.convert("L")), 0)
    assert (facts.mode, facts.subsampling) == ("L", "")


@pytest.mark.parametrize("progressive", [False, True])
def test_progressive(progressive):
    facts = read_facts(encode("JPEG", progressive=progressive), 0)
    assert facts.progressive is progressive


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_have_no_quality(kind):
    facts = read_facts(encode(kind), 0)
    assert (facts.format, facts.width, facts.height) == (kind, 30, 20)
    assert (facts.quality, facts.steps, facts.subsampling) == (None, 0.0, "")


def test_the_header_is_enough():
    whole = encode("JPEG", quality=60)
    assert read_facts(whole[: whole.index(b"\xff\xda") + 20], 0) == read_facts(whole, 0)


@pytest.mark.parametrize("content", [b"", b"no image", encode("PNG")[:20]])
def test_what_is_no_image(content):
    with pytest.raises(CurateError, match="'photo 3'"):
        read_facts(content, "photo 3")


@pytest.mark.parametrize("more", [b"x", b"\xff\xd9", encode("JPEG")])
def test_bytes_after_the_end_of_a_jpeg_are_seen(more):
    whole = encode("JPEG", quality=60)
    assert not read_facts(whole, 0).writer.endswith("+")
    assert read_facts(whole + more, 0).writer == read_facts(whole, 0).writer + " +"
