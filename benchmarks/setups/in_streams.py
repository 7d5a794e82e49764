"""Data sets of which nobody knows the length."""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from setups.harness import BATCH, EPOCHS, N, Net, Run, X, Y, setup, sgd, train


class Stream(IterableDataset):
    """Every process and worker has its share."""

    def __init__(self, rank, ranks):
        self.rank, self.ranks = rank, ranks

    def __iter__(self):
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        for i in range(self.rank * workers + number, N, self.ranks * workers):
            yield {"x": X[i], "y": Y[i], "key": f"line-{i}"}


@setup("streams", "IterableDataset, workers")
def stream(run: Run):
    model = run.wrapped(Net())
    optimizer = sgd(model)
    loader = DataLoader(Stream(run.rank, run.ranks), BATCH, num_workers=2)
    recorder = run.recorder()  # added
    for _ in range(EPOCHS):
        for batch in loader:
            logits = model(batch["x"])
            recorder.update(batch["key"], logits, batch["y"])  # added
            train(optimizer, cross_entropy(logits, batch["y"]))
        recorder.end_epoch()  # added
    return recorder


@setup("streams", "WebDataset", needs=("webdataset",))
def web(run: Run):
    import webdataset

    for shard in range(2):
        with webdataset.TarWriter(f"{run.folder}/{run.rank}-{shard}.tar") as writer:
            for i in range(shard, N, 2):
                writer.write({"__key__": f"k{i}", "x.pth": X[i], "y.cls": int(Y[i])})
    model = run.wrapped(Net())
    optimizer = sgd(model)
    urls = [f"{run.folder}/{run.rank}-{shard}.tar" for shard in range(2)]
    data = webdataset.WebDataset(urls[run.rank : run.rank + 1] if run.ranks > 1 else urls,
        shardshuffle=False, nodesplitter=None).shuffle(10).decode()  # fmt: skip
    loader = DataLoader(data.to_tuple("x.pth", "y.cls", "__key__"), BATCH)  # changed
    recorder = run.recorder()  # added
    for _ in range(EPOCHS):
        for x, y, keys in loader:  # changed
            logits = model(x)
            recorder.update(keys, logits, y)  # added
            train(optimizer, cross_entropy(logits, y))
        recorder.end_epoch()  # added
    return recorder


def _row(i):
    return {"x": X[i].numpy(), "y": int(Y[i]), "key": i}


@setup("streams", "LitData", needs=("litdata",))
def lit(run: Run):
    import litdata
    from litdata.streaming import Cache

    def write():  # what litdata.optimize does in processes of its own
        cache = Cache(f"{run.folder}/set", chunk_size=8)
        for i in range(N):
            cache[i] = _row(i)
        cache.done()
        cache.merge(1)

    run.once(write)
    model = run.wrapped(Net())
    optimizer = sgd(model)
    data = litdata.StreamingDataset(f"{run.folder}/set", shuffle=True, drop_last=False)
    loader = litdata.StreamingDataLoader(data, batch_size=BATCH)
    recorder = run.recorder()  # added
    for _ in range(EPOCHS):
        for batch in loader:
            logits = model(torch.as_tensor(batch["x"]))
            recorder.update(batch["key"], logits, batch["y"])  # added
            train(optimizer, cross_entropy(logits, batch["y"]))
        recorder.end_epoch()  # added
    return recorder


@setup("streams", "MosaicML StreamingDataset", needs=("streaming",))
def mosaic(run: Run):
    import streaming

    def write():
        columns = {"x": "ndarray:float32", "y": "int", "key": "int"}
        with streaming.MDSWriter(out=f"{run.folder}/set", columns=columns) as writer:
            for i in range(N):
                writer.write(_row(i))

    run.once(write)
    model = run.wrapped(Net())
    optimizer = sgd(model)
    data = streaming.StreamingDataset(local=f"{run.folder}/set", shuffle=True,
        batch_size=BATCH)  # fmt: skip
    loader = DataLoader(data, BATCH)
    recorder = run.recorder()  # added
    for _ in range(EPOCHS):
        for batch in loader:
            logits = model(batch["x"])
            recorder.update(batch["key"], logits, batch["y"])  # added
            train(optimizer, cross_entropy(logits, batch["y"]))
        recorder.end_epoch()  # added
    return recorder
