import hashlib
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Subset, TensorDataset

from curate.data import fingerprint, folder, load, with_ids
from curate.data.content import feed_column, feed_value
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels, write_folder

datasets = pytest.importorskip("datasets")


def numbers():
    return TensorDataset(torch.arange(12.0).reshape(6, 2), torch.tensor([0, 1, 0, 1, 0, 1]))


class Samples:
    """A data set that only knows how to fetch one sample."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


def rows():
    return datasets.Dataset.from_dict(
        {"text": ["a", "b", None, "d"], "values": [[1.0], [], [2.0, 3.0], None], "n": [1, 2, 3, 4]}
    )


def test_it_is_the_same_in_another_process_and_for_ever():
    """Pinned: a change of these constants orphans every recorded table."""
    code = (
        "import torch, curate.data as data, datasets\n"
        "from torch.utils.data import TensorDataset\n"
        "t = TensorDataset(torch.arange(12.).reshape(6, 2), torch.tensor([0, 1, 0, 1, 0, 1]))\n"
        "h = datasets.Dataset.from_dict({'text': ['a', 'b', None, 'd'],"
        " 'values': [[1.], [], [2., 3.], None], 'n': [1, 2, 3, 4]})\n"
        "print(data.fingerprint(t), data.fingerprint(h), data.fingerprint(data.load('digits')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = done.stdout.split()
    assert found == [fingerprint(numbers()), fingerprint(rows()), fingerprint(load("digits"))]
    assert found == [
        "sha256:be1b8dd534f446d1f221824dd92f6e20dd8429ae2479e85ab268687ccf052eab",
        "sha256:92ef58c5a6fc0a26602ff031472a559e9b25b1894ed51642a20f4a8baddbd83b",
        "sha256:acf78a8b91052e1e8f8bbf9340cc1642b33f80f014222af3d9e9c9aeb5352598",
    ]


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: Samples(list(data))])
def test_order_ids_and_every_bit_count(wrap):
    values, labels = numbers().tensors
    seen = {fingerprint(wrap(numbers()))}
    order = [1, 0, 2, 3, 4, 5]
    changed = values.clone()
    changed[3, 1] = torch.nextafter(changed[3, 1], torch.tensor(1e9))
    for other in (
        wrap(TensorDataset(values[order], labels[order])),
        wrap(TensorDataset(changed, labels)),
        wrap(TensorDataset(values, 1 - labels)),
        wrap(TensorDataset(values.double(), labels)),
        wrap(TensorDataset(values[:5], labels[:5])),
        with_ids(wrap(numbers()), list("abcdef")),
        with_ids(wrap(numbers()), [1, 0, 2, 3, 4, 5]),
    ):
        seen.add(fingerprint(other))
    assert len(seen) == 8
    assert fingerprint(wrap(numbers())) == fingerprint(with_ids(wrap(numbers())))


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: Samples(list(data))])
@pytest.mark.parametrize("rows", [[4, 2, 0], list(range(5, -1, -1))])
def test_a_subset_is_what_it_holds_not_how_it_came_about(wrap, rows):
    values, labels = numbers().tensors
    built = with_ids(wrap(TensorDataset(values[rows], labels[rows])), rows)
    assert fingerprint(Subset(with_ids(wrap(numbers())), rows)) == fingerprint(built)
    assert fingerprint(with_ids(Subset(wrap(numbers()), rows))) == fingerprint(built)
    assert fingerprint(Subset(wrap(numbers()), rows)) == fingerprint(built)


def test_hugging_face_rows_count_not_how_they_are_stored(tmp_path):
    data = rows()
    wanted = fingerprint(data)
    data.to_parquet(tmp_path / "rows.parquet")
    stored = datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"))
    pieces = datasets.concatenate_datasets([data.select([0]), data.select(range(1, 4))])
    backwards = data.select([3, 2, 1, 0])
    for same in (
        stored,
        pieces,
        backwards.select([3, 2, 1, 0]),
        data.map(lambda row: row, load_from_cache_file=False),
        data.with_format("torch"),
        with_ids(data),
    ):
        assert fingerprint(same) == wanted
    assert fingerprint(backwards) != wanted
    assert fingerprint(with_ids(data, [5, 6, 7, 8])) != wanted
    assert fingerprint(data.rename_column("n", "m")) != wanted
    assert fingerprint(Subset(data, [3, 1])) == fingerprint(with_ids(data.select([3, 1]), [3, 1]))


def test_hugging_face_images_count_by_content_not_by_place(tmp_path):
    contents = write_folder(tmp_path, ["a/1.png", "a/2.png"])
    features = datasets.Features({"image": datasets.Image()})
    paths = [str(tmp_path / name) for name in contents]
    by_path = datasets.Dataset.from_dict({"image": paths}, features=features)
    cells = [{"bytes": content, "path": "elsewhere"} for content in contents.values()]
    by_bytes = datasets.Dataset.from_dict({"image": cells}, features=features)
    assert fingerprint(by_path) == fingerprint(by_bytes)
    assert fingerprint(by_path.select([1, 0])) != fingerprint(by_bytes)


def test_files_count_as_they_are(tmp_path):
    write_folder(tmp_path, ["a/1.png", "a/2.png", "b/1.png"])
    first = fingerprint(folder(tmp_path))
    assert fingerprint(folder(tmp_path, size=3)) == first
    same_pixels = encoded(pixels(0), compress_level=0)
    assert same_pixels != (tmp_path / "a/1.png").read_bytes()
    (tmp_path / "a/1.png").write_bytes(same_pixels)
    assert fingerprint(folder(tmp_path)) != first


def test_transforms_of_torchvision_are_left_out(tmp_path):
    from torchvision import transforms
    from torchvision.datasets import FakeData, ImageFolder

    write_folder(tmp_path, ["a/1.png", "b/1.png"])
    random = transforms.Compose([transforms.RandomCrop(8, padding=4), transforms.ToTensor()])
    for build in (
        lambda transform: ImageFolder(tmp_path, transform=transform),
        lambda transform: FakeData(3, (3, 8, 8), transform=transform),
    ):
        assert fingerprint(build(random)) == fingerprint(build(None))
        assert build(random).transform is random


def test_random_samples_are_refused_and_randomness_is_not_used_up():
    class Noisy(Samples):
        def __getitem__(self, index):
            return torch.rand(2) + np.random.rand()

    torch.manual_seed(0)
    np.random.seed(0)
    wanted = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    with pytest.raises(CurateError, match="sample 0 differs from fetch to fetch"):
        fingerprint(Noisy([1, 2]))
    assert (torch.rand(1), np.random.rand()) == wanted


def test_samples_without_canonical_bytes_are_named():
    with pytest.raises(CurateError, match="a sample holds a set"):
        fingerprint(Samples([{1, 2}]))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def fed(value):
    chunks = []
    feed_value(lambda chunk: chunks.append(bytes(chunk)), value)
    return b"".join(chunks)


def described(value):
    """Tells 1, 1.0, True and 0.0, -0.0 apart, unlike ==."""
    if isinstance(value, list):
        return [described(item) for item in value]
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    return type(value).__name__, repr(value)


@given(PLAIN, PLAIN)
def test_different_samples_have_different_bytes(first, second):
    assert (fed(first) == fed(second)) == (described(first) == described(second))


def test_arrays_and_tensors_of_every_kind():
    kinds = [np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64, np.bool_]
    array = np.arange(6).reshape(2, 3)
    seen = set()
    for kind in kinds:
        value = array.astype(kind)
        assert fed(value) == fed(torch.from_numpy(value)) == fed(np.asfortranarray(value))
        if value.itemsize > 1:
            assert fed(value) == fed(value.astype(value.dtype.newbyteorder(">")))
        seen |= {fed(value), fed(value.reshape(3, 2)), fed(value.ravel())}
    seen |= {fed(torch.from_numpy(array).bfloat16()), fed(np.array(["a", "b"]))}
    assert len(seen) == 3 * len(kinds) + 2
    assert fed(np.zeros((0, 3))) != fed(np.zeros((3, 0)))


COLUMNS = st.sampled_from(
    [
        ([1, None, 3, 4], pa.int32()),
        ([1.5, None, float("nan"), -0.0], pa.float32()),
        ([True, None, False, True], pa.bool_()),
        (["a", None, "", "bc"], pa.string()),
        (["a", None, "", "bc"], pa.dictionary(pa.int8(), pa.string())),
        ([b"a", None, b"", b"bc"], pa.binary()),
        ([[1], None, [], [2, 3]], pa.list_(pa.int64())),
        ([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int64(), 2)),
        ([["a"], None, [], ["b", None]], pa.list_(pa.string())),
        (
            [{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}, {"x": 2, "y": ""}],
            pa.struct([("x", pa.int64()), ("y", pa.string())]),
        ),
        ([1, None, 2, 3], pa.timestamp("us")),
        ([None] * 4, pa.null()),
    ]
)


@settings(max_examples=100)
@given(COLUMNS, st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_a_column_is_its_values_however_it_lies_in_memory(column, taken, data):
    values, kind = column
    whole = pa.array(values, kind)
    wanted = [values[row] for row in taken]
    cut = data.draw(st.integers(0, len(taken)))
    padded = pa.concat_arrays([whole, whole.take(pa.array(taken)), whole])
    sliced = padded.slice(4, len(taken))
    chunked = pa.chunked_array([sliced.slice(0, cut), sliced.slice(cut)])

    def digest(array):
        hashed = hashlib.sha256()
        feed_column(hashed.update, array)
        return hashed.hexdigest()

    assert digest(pa.array(wanted, kind)) == digest(sliced) == digest(chunked)
    for other in range(4):
        changed = [values[other], *wanted[1:]]
        if repr(changed) != repr(wanted):
            assert digest(pa.array(changed, kind)) != digest(sliced)
