import dataclasses
import sys

import numpy as np
import pytest
import torch
from torch import nn

import curate
from curate.train import NETS, Settings, build, logits_of, predict, settings_for, train
from curate.train.batches import Normaliser, augmented, shuffled

SETTINGS = Settings("mlp", 3, 16, 0.05, 5e-4, False, "cpu")


def blobs(n=90, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    return torch.randn(n, 6, generator=generator) + 3 * labels.unsqueeze(1), labels


def test_it_learns_and_records_the_very_logits(monkeypatch):
    values, labels = blobs()
    recorder = curate.Recorder(90, history=True)
    seen = []
    forward = nn.Sequential.forward

    def spy(self, inputs):
        logits = forward(self, inputs)
        seen.append(logits.detach().clone())
        return logits

    monkeypatch.setattr(nn.Sequential, "forward", spy)
    trained = train(values, labels, 3, SETTINGS, 0, recorder=recorder)
    table = recorder.table()
    assert table["presentations"].to_pylist() == [3] * 90
    assert len(seen) == 3 * 6  # no extra forward pass
    assert recorder.epoch == 3
    order = torch.Generator().manual_seed(0)
    by_hand = curate.Recorder(90, history=True)
    steps = iter(seen)
    for _ in range(3):
        for batch in shuffled(90, 16, order):
            by_hand.update(batch, next(steps), labels[batch])
        by_hand.end_epoch()
    assert by_hand.table().equals(table)
    assert (predict(trained, values) == labels).float().mean() > 0.9


@pytest.mark.parametrize("augment", [False, True])
def test_the_same_seed_gives_the_same_table_and_another_does_not(augment):
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (40, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.arange(40) % 2
    settings = dataclasses.replace(SETTINGS, model="cnn", augment=augment, epochs=2)

    def table(seed):
        recorder = curate.Recorder(40)
        train(values, labels, 2, settings, seed, recorder=recorder)
        return recorder.table()

    assert table(1).equals(table(1))
    assert not table(1).equals(table(2))


def test_interrupted_and_resumed_is_uninterrupted(tmp_path):
    values, labels = blobs()

    def run(checkpoint=None, stop=None):
        recorder = curate.Recorder(90, history=True)
        heard = []

        def on_epoch(epoch):
            heard.append(epoch)
            if epoch == stop:
                raise KeyboardInterrupt

        trained = train(
            values, labels, 3, SETTINGS, 0,
            recorder=recorder, checkpoint=checkpoint, on_epoch=on_epoch,
        )  # fmt: skip
        return trained, recorder.table(), heard

    whole, table, _ = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c.pt", stop=1)
    resumed, resumed_table, heard = run(tmp_path / "c.pt")
    assert heard == [1, 2, 3]
    assert resumed_table.equals(table)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    (tmp_path / "c.pt").write_bytes(b"something else")
    with pytest.raises(curate.CurateError, match="checkpoint: .* delete it"):
        run(tmp_path / "c.pt")


def test_ids_reach_the_recorder():
    values, labels = blobs(12)
    ids = [f"x{i}" for i in range(12)]
    recorder = curate.Recorder(list(reversed(ids)))
    train(values, labels, 3, SETTINGS, 0, ids=ids, recorder=recorder)
    table = recorder.table()
    assert dict(zip(*(table[c].to_pylist() for c in ("example_id", "label")), strict=True)) == {
        f"x{i}": i % 3 for i in range(12)
    }


@pytest.mark.parametrize("count", [2, 3, 16, 17, 33])
def test_batches_hold_everything_once_and_never_one_alone(count):
    parts = list(shuffled(count, 16, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    assert min(map(len, parts)) > 1


def test_augmentation_only_crops_and_mirrors():
    images = torch.arange(2 * 16 * 16).view(1, 2, 16, 16).repeat(50, 1, 1, 1)
    changed = augmented(images, torch.Generator().manual_seed(0))
    padded = np.pad(images[0].numpy(), [(0, 0), (1, 1), (1, 1)], mode="reflect")
    crops = {
        view.tobytes()
        for top in range(3)
        for left in range(3)
        for window in [padded[:, top : top + 16, left : left + 16].astype(np.float32)]
        for view in (window, np.ascontiguousarray(window[:, :, ::-1]))
    }
    found = {np.ascontiguousarray(image).tobytes() for image in changed.numpy()}
    assert found <= crops
    assert len(found) > 12


def test_normalised_values_have_mean_zero_and_std_one():
    values = torch.randint(0, 256, (5000, 2, 3, 3), dtype=torch.uint8)
    result = Normaliser.of(values)(values).double()
    np.testing.assert_allclose(result.mean((0, 2, 3)), [0, 0], atol=1e-5)
    np.testing.assert_allclose(result.std((0, 2, 3), unbiased=False), [1, 1], atol=1e-5)


@pytest.mark.parametrize("shape", [(5000, 3, 4, 4), (1, 1, 1, 1), (4097, 2, 3, 5)])
@pytest.mark.parametrize("high", [1, 7, 256])
def test_bytes_are_normalised_as_other_numbers_are(shape, high):
    values = torch.randint(0, high, shape, dtype=torch.uint8)
    bytewise, plain = Normaliser.of(values), Normaliser.of(values.double())
    assert torch.equal(bytewise.mean, plain.mean)
    torch.testing.assert_close(bytewise.std, plain.std, rtol=1e-7, atol=0)
    assert bytewise.mean.shape == bytewise.std.shape == (1, shape[1], 1, 1)


@pytest.mark.parametrize("name", [name for name in NETS if name != "lightconv"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_nets_map_examples_to_logits(name, shape):
    model = build(name, shape, 7)
    assert model(torch.zeros(2, *shape)).shape == (2, 7)


def test_texts_are_learned_and_recorded():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    tokens = torch.randint(1, 50, (120, 9), generator=generator)
    tokens[torch.arange(120), torch.randint(0, 6, (120,), generator=generator)] = 100 + labels
    tokens[:, 7:] = 0  # padding
    settings = dataclasses.replace(settings_for((9,), text=True), epochs=8)
    assert settings.model == "lightconv"
    recorder = curate.Recorder(120)
    trained = train(tokens, labels, 3, settings, 0, recorder=recorder)
    assert (predict(trained, tokens) == labels).float().mean() > 0.9
    table = recorder.table()
    assert table["presentations"].to_pylist() == [8] * 120
    assert table["label"].to_pylist() == labels.tolist()
    # padding is not seen
    longer = torch.nn.functional.pad(tokens[:, :7], (0, 20))
    assert torch.equal(predict(trained, longer), predict(trained, tokens))


def test_defaults_suit_the_shape():
    assert settings_for((1, 8, 8)).model == "cnn"
    assert settings_for((64,)).model == "mlp"
    assert settings_for((3, 32, 32)).augment
    assert not settings_for((1, 28, 28)).augment
    assert settings_for((20,), text=True).model == "lightconv"
    assert settings_for((3, 32, 32), epochs=2, model="mlp").epochs == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build("vgg", (1, 8, 8), 2), "model: 'vgg'"),
        (lambda: build("cnn", (10,), 2), "needs images"),
        (lambda: build("mlp", (10,), 1), "at least 2"),
        (lambda: settings_for((3, 8, 8), epochs=0), "epochs: 0"),
        (lambda: settings_for((9,), model="lightconv"), "lightconv' for other than texts"),
        (lambda: settings_for((9,), text=True, model="mlp"), "mlp' for texts; use lightconv"),
        (lambda: settings_for((3, 8, 8), device="abacus"), "device: 'abacus'"),
        (lambda: build("timm:resnet18", (10,), 2), "needs images"),
        (lambda: settings_for((9,), text=True, model="timm:resnet18"), "for texts"),
        (lambda: build("timm:resnet_18", (3, 32, 32), 2), "timm.s; did you mean resnet"),
        (lambda: build("timm:vit_tiny_patch16_224", (3, 32, 32), 2), "does not take images"),
        (lambda: train(torch.zeros(1, 3), torch.zeros(1).long(), 2, SETTINGS, 0), "1 examples"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(curate.CurateError, match=message):
        call()


def test_a_model_of_timm_trains_alike():
    pytest.importorskip("timm")
    settings = settings_for((1, 20, 20), model="timm:resnet10t", epochs=1, device="cpu")
    values = torch.randint(0, 256, (40, 1, 20, 20), dtype=torch.uint8)
    labels = torch.arange(40) % 3
    trained = train(values, labels, 3, settings, 0)
    again = train(values, labels, 3, settings, 0)
    logits = logits_of(trained, values)
    assert logits.shape == (40, 3)
    assert torch.equal(logits, logits_of(again, values))


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(curate.CurateError, match=r"pip install 'curate-data\[timm\]'"):
        build("timm:resnet18", (3, 32, 32), 2)
