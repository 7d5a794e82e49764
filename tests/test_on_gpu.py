"""What runs on a GPU gives what it gives on the CPU; skipped where there is none."""

import numpy as np
import pytest
import torch
from torch import nn

import curate
from curate.train import predict, settings_for, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def presentations(device: str, n: int = 60, epochs: int = 4):
    """Batches of ids, logits and labels, epoch by epoch, the same on every device."""
    drawn = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (n,), generator=drawn)
    for _ in range(epochs):
        order = torch.randperm(n, generator=drawn)
        yield [
            (rows, torch.randn(len(rows), 5, generator=drawn).to(device), labels[rows].to(device))
            for rows in order.split(16)
        ]


@pytest.mark.parametrize("options", [{}, {"track": "forgetting"}, {"history": True}])
def test_recorded(options):
    tables = []
    for device in ("cpu", "cuda"):
        recorder = curate.Recorder(60, **options)
        for epoch in presentations(device):
            for step in epoch:
                recorder.update(*step)
            recorder.end_epoch()
        tables.append(recorder.table())
    one, other = tables
    assert one.column_names == other.column_names
    for name in one.column_names:
        want, got = one[name].to_pylist(), other[name].to_pylist()
        if isinstance(want[0], float):
            assert got == pytest.approx(want, rel=1e-5, abs=1e-6), name
        else:
            assert got == want, name


@pytest.mark.parametrize("track", ["all", "forgetting"])
def test_an_update_waits_for_nothing(track):
    recorder = curate.Recorder(60, track=track)
    steps = [step for epoch in presentations("cuda") for step in epoch]
    recorder.update(*steps[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in steps[1:]:
            recorder.update(*step)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_state_moves_between_devices():
    half = list(presentations("cuda"))
    recorder = curate.Recorder(60)
    for step in half[0] + half[1]:
        recorder.update(*step)
    moved = curate.Recorder(60)
    moved.load_state_dict(recorder.state_dict())
    whole = curate.Recorder(60)
    for step in half[0] + half[1] + half[2]:
        whole.update(*step)
    for rows, logits, labels in half[2]:
        moved.update(rows, logits.cpu(), labels.cpu())
    for name in ("forgetting_events", "presentations", "first_learned"):
        assert moved.table()[name].equals(whole.table()[name])


def test_pruned_while_training():
    orders = []
    for device in ("cpu", "cuda"):
        recorder = curate.Recorder(60, track="forgetting")
        sampler = curate.DynamicSampler(recorder, 5, keep=0.5, seed=3)
        for epoch in presentations(device):
            orders.append((device, list(sampler)))
            for step in epoch:
                recorder.update(*step)
            recorder.end_epoch()
    middle = len(orders) // 2
    assert [order for _, order in orders[:middle]] == [order for _, order in orders[middle:]]


def test_ranks_on_nccl(tmp_path):
    """One rank: a card cannot be two."""
    recorder = curate.Recorder(60)
    torch.distributed.init_process_group(
        "nccl", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1
    )
    try:
        shared = curate.record.DistributedRecorder(60)
        for epoch in presentations("cuda"):
            for step in epoch:
                shared.update(*step)
                recorder.update(*step)
            shared.end_epoch()
            recorder.end_epoch()
        for name in recorder.table().column_names:
            want, got = recorder.table()[name].to_numpy(), shared.table()[name].to_numpy()
            np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=name)
    finally:
        torch.distributed.destroy_process_group()


def test_the_trainer():
    train_set, test_set = (curate.data.load("digits", split) for split in ("train", "test"))
    values, labels = train_set.arrays()
    settings = settings_for(train_set.shape, epochs=5, device="cuda")
    recorder = curate.Recorder(train_set.ids)
    trained = train(values, labels, 10, settings, 0, ids=train_set.ids, recorder=recorder)
    inputs, answers = test_set.arrays()
    assert (predict(trained, inputs) == answers).float().mean() > 0.9
    assert recorder.table()["presentations"].to_pylist() == [5] * len(labels)


def test_augmented_colour_images_are_trained_on():
    drawn = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (64,), generator=drawn)
    noise = torch.randint(0, 100, (64, 3, 32, 32), generator=drawn)
    values = (noise + 150 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    settings = settings_for((3, 32, 32), epochs=6, device="cuda", examples=64)
    trained = train(values, labels, 2, settings, 0)
    assert (predict(trained, values) == labels).float().mean() > 0.9


def test_an_experiment(tmp_path):
    sets = [curate.data.load("digits", split) for split in ("train", "test")]
    settings = settings_for(sets[0].shape, epochs=2, device="cuda")
    recorder = curate.Recorder(sets[0].ids)
    run, table = curate.experiment.run_arm(
        "all", 0, *sets, settings, recorder=recorder, folder=tmp_path
    )
    assert run.accuracy > 0.7
    assert len(table) == len(sets[0])


@pytest.mark.parametrize("method", sorted(curate.saliency.METHODS))
def test_maps(method):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5),
    ).double()  # fmt: skip
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64)
    function = getattr(curate.saliency, method)
    want = function(model.eval(), images)
    found = function(model.cuda(), images.cuda())
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), want, atol=1e-9, rtol=1e-7)


def test_attacks_keep_to_their_bounds():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)
    )
    model = model.eval().cuda()
    images = torch.rand(4, 3, 16, 16, device="cuda")
    for attack in (
        curate.saliency.iterative_attack,
        curate.saliency.strong_attack,
        curate.saliency.black_box_step,
        curate.saliency.random_signs,
    ):
        found = attack(model, images, "gradient", epsilon=2 / 255, k=20)
        moved = (found.images.to(images) - images).abs().amax()
        assert moved <= 2 / 255 + 1e-6
        answers = model(found.images.to(images)).argmax(1) == model(images).argmax(1)
        assert answers[found.found.to(answers.device)].all()
    audit = curate.saliency.fragility(
        model, images, "gradient", k=20, epsilon=2 / 255, iterations=3, certify=(0.15,)
    )
    assert len(audit.table) == 4


CASES = [  # positions, channels, heads, taps, padding, dtype
    (5, 4, 2, 3, "same", torch.float64),
    (67, 64, 8, 3, "causal", torch.float32),
    (3, 4, 1, 11, (4, 6), torch.float64),
    (9, 140, 2, 4, 0, torch.float32),
    (300, 256, 16, 31, "causal", torch.bfloat16),
]


@pytest.mark.parametrize("kind", ["lightweight_conv1d", "dynamic_conv1d"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_triton_kernels(kind, case):
    source, channels, heads, taps, padding, dtype = case
    torch.manual_seed(0)
    function = getattr(curate.nn, kind)
    length = source - taps + 1 if padding == 0 else source
    shape = (2, length, heads, taps) if kind == "dynamic_conv1d" else (heads, taps)
    parts = [torch.randn(2, source, channels), torch.randn(shape)]
    parts = [part.cuda().to(dtype).requires_grad_() for part in parts]
    exact = [part.detach().cpu().double().requires_grad_() for part in parts]
    slopes = torch.randn(2, length, channels).cuda().to(dtype)
    got = function(*parts, padding=padding, backend="triton")
    want = function(*exact, padding=padding, backend="torch")
    near = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.02}[dtype]
    pairs = zip(
        [got, *torch.autograd.grad(got, parts, slopes)],
        [want, *torch.autograd.grad(want, exact, slopes.cpu().double())],
        strict=True,
    )
    for one, other in pairs:
        error = (one.detach().cpu().double() - other.detach()).norm() / other.detach().norm()
        assert error <= near


@pytest.mark.parametrize("text", ["sum((X*w - y).^2)", "sum(log(1 + exp(-y .* (X*w))))"])
def test_derivatives(text):
    drawn = np.random.default_rng(0)
    given = {"X": drawn.normal(size=(20, 4)), "w": drawn.normal(size=4), "y": np.ones(20)}
    on_gpu = {name: torch.from_numpy(value).cuda() for name, value in given.items()}
    for kind in ("gradient", "hessian"):
        function = getattr(curate.calculus.parse(text), kind)("w")
        found = function(**on_gpu)
        assert found.is_cuda
        np.testing.assert_allclose(found.cpu().numpy(), function(**given), rtol=1e-10, atol=1e-10)


def test_fixup_and_its_diagnosis():
    """A chain with a gate and SiLU, which is calibrated by a forward pass."""
    from curate.nn import diagnose, fixup_

    torchvision = pytest.importorskip("torchvision")
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = torchvision.models.efficientnet_b0(num_classes=5).to(device)
        images = torch.randn(8, 3, 32, 32).to(device)
        report = fixup_(model, example_inputs=images, verbose=False)
        assert {p.device.type for p in model.parameters()} == {device}
        labels = torch.arange(8, device=device) % 5
        found.append((report.num_branches, diagnose(model, (images, labels)).healthy))
    assert found[0] == found[1] == (9, True)
