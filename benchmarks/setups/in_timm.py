"""timm's loaders and models; every picture has one colour, which says which example it is."""

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

import curate
from setups.harness import BATCH, EPOCHS, N, Run, Y, note, setup, train

NEEDS = ("timm", "torchvision")


class Pictures(Dataset):
    def __init__(self):
        self.transform = None

    def __len__(self):
        return N

    def __getitem__(self, i):
        colour = np.full((32, 32, 3), (5 * i, 80 * int(Y[i]), 0), np.uint8)
        image = Image.fromarray(colour)
        return (image if self.transform is None else self.transform(image)), int(Y[i])


def noting_model():
    import timm
    from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    def noting(model, args, outputs):
        red = args[0][:, 0].mean((1, 2)) * IMAGENET_DEFAULT_STD[0] + IMAGENET_DEFAULT_MEAN[0]
        note(model, (red * 255 / 5).round(), outputs)

    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=3)
    model.register_forward_hook(noting)
    return model


def loader_of(run, data, prefetcher):
    import timm.data

    run.start()
    return timm.data.create_loader(
        data, (3, 32, 32), BATCH, is_training=True, num_workers=2, device=torch.device("cpu"),
        use_prefetcher=prefetcher, distributed=run.ranks > 1, color_jitter=None, re_prob=0.0,
    )  # fmt: skip


@setup("timm", "create_loader", needs=NEEDS)
def plain(run: Run):
    model = run.wrapped(noting_model())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = loader_of(run, curate.data.with_ids(Pictures()), prefetcher=False)  # changed
    recorder = run.recorder(N)  # added
    for _ in run.epochs(loader):
        for x, y, ids in loader:  # changed
            logits = model(x)
            recorder.update(ids, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder


@setup("timm", "create_loader with its prefetcher, curate.watch", needs=NEEDS)
def prefetched(run: Run):
    model = run.wrapped(noting_model())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = loader_of(run, Pictures(), prefetcher=True)
    recorder = curate.watch(model, loader)  # added
    for _ in run.epochs(loader):
        for x, y in loader:
            train(optimizer, cross_entropy(model(x), y))
    return recorder


@setup("timm", "Mixup, swept after every epoch", needs=NEEDS, sweeps=True)
def mixed(run: Run):
    import timm.data

    model = run.wrapped(noting_model())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = loader_of(run, Pictures(), prefetcher=True)
    mixup = timm.data.Mixup(0.8, num_classes=3)
    clean = loader_of(run, curate.data.with_ids(Pictures()), prefetcher=False)  # added
    recorder = run.recorder(N)  # added
    for _ in range(EPOCHS):
        model.train()
        for x, y in loader:
            x, y = mixup(x, y)
            train(optimizer, cross_entropy(model(x), y))
        recorder.sweep(model, clean)  # added
    return recorder
