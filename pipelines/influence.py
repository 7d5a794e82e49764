"""Exact influence of every training example on a softmax head, as columns of the example table.

    python pipelines/influence.py [--dataset digits] [--out examples.parquet] [--damping 0.01]

A linear head is fitted to the images; with its closed-form Hessian, the effect of removing
each example on the mean test loss (Koh & Liang, ICML 2017) and on its own loss is computed.
"""

import argparse

import numpy as np
import pyarrow as pa
import torch
from rich.console import Console

import curate
from curate.scores import influence


def flat(dataset: torch.utils.data.Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.stack([dataset[i][0] for i in range(len(dataset))]).double()
    return images.reshape(len(images), -1), torch.as_tensor(np.asarray(dataset.labels)).long()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--out", default="examples.parquet")
    parser.add_argument("--damping", type=float, default=0.01)
    arguments = parser.parse_args()

    train_set = curate.data.load(arguments.dataset, "train", arguments.data)
    test_set = curate.data.load(arguments.dataset, "test", arguments.data)
    (x, y), (x_test, y_test) = flat(train_set), flat(test_set)
    head = torch.nn.Linear(x.shape[1], int(y.max()) + 1).double()
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        decay = sum((p * p).sum() for p in head.parameters())
        loss = torch.nn.functional.cross_entropy(head(x), y) + arguments.damping / 2 * decay
        loss.backward()
        return loss

    optimizer.step(closure)
    result = influence(head, x, y, x_test, y_test, damping=arguments.damping)
    ids = pa.array(np.asarray(train_set.ids))
    table = pa.table({"example_id": ids, "label": pa.array(y.numpy())})
    columns = {"influence": result.influence, "self_influence": result.self_influence}
    table = curate.join(table, pa.table({"example_id": ids, **columns}))
    curate.write(table, arguments.out)
    hardest = np.argsort(-result.self_influence)[:5]
    console = Console()
    console.print(f"{len(ids)} examples -> {arguments.out}")
    console.print("highest self-influence:", [ids[int(i)].as_py() for i in hardest])
    console.print(f"helpful to the test set: {np.mean(result.influence > 0):.1%} of the examples")


if __name__ == "__main__":
    main()
