"""Wrong labels that people gave: CIFAR-10N, all five sets, without a clean label.

    python benchmarks/label_noise.py                       # all 50,000 examples
    python benchmarks/label_noise.py --examples 10000
    python benchmarks/label_noise.py --examples 10000 --only-print

Features: two layers of a SqueezeNet with ImageNet's weights in its first layers and Caltech-256's
in the rest, on images of 96 pixels; it has seen no CIFAR label. Detectors, all on these features:
ours (``score(table, "mislabel")``); of linear models that did not see the example, the margin of
their average logits (``cross_fitted_margin``) and probabilities over seeds, their confidence and
EL2N, and cleanlab's scores where it is installed; and the scores of training dynamics, of a linear
head that was recorded while it trained. The clean labels are used to judge, and for nothing
else: the false-negative rate where as many are flagged as are wrong, the average precision, and
95 % bootstrap intervals over examples of ours less the other. Then the lists of
``suspects``: the precision it estimates and the true one. Finished label sets are kept in
``benchmarks/results/label-noise-EXAMPLES.parquet``.
"""

import argparse
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

import curate
from curate.data import held_out
from curate.files import atomic_path
from curate.scores import label_noise_table, suspects

RESULTS = Path(__file__).parent / "results"
SETS = ("random_label1", "worse_label", "aggre_label", "random_label2", "random_label3")
PRECISIONS = (0.9, 0.8, 0.7, 0.6)
FOLDS, SEEDS = 5, 2
EPOCHS = 10
DYNAMICS = (
    "aum", "confidence", "el2n", "loss", "margin", "variability", "forgetting", "first_learned",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("CURATE_DATA"))
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("runs/label-noise"))
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    kept = RESULTS / f"label-noise-{options.examples}.parquet"
    if not options.only_print:
        torch.set_num_threads(1)
        measure_what_is_missing(options, kept)
    print_tables(finished(kept))


def measure_what_is_missing(options: argparse.Namespace, kept: Path) -> None:
    train_set = curate.data.load("cifar10", "train", options.data)
    rows = np.arange(len(train_set))
    if options.examples < len(rows):
        rows = np.flatnonzero(held_out(train_set.labels, train_set.ids, options.examples, seed=0))
    human = np.load(Path(options.data) / "cifar10-labels" / "cifar10n_human.npz")
    clean = human["clean_label"][rows].astype(np.int64)
    features = None
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    for name in SETS:
        if name in {row["labels"] for row in finished(kept)}:
            continue
        if features is None:
            features = features_of(options, train_set, rows)
        labels = human[name][rows].astype(np.int64)
        found = measured(name, features, labels, labels != clean, options.resamples)
        keep(kept, [*finished(kept), *found])
        print(name, "is finished", flush=True)


def features_of(options: argparse.Namespace, train_set, rows: np.ndarray) -> np.ndarray:
    """(n, 768) float32, computed once and kept in the folder."""
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"features-{len(rows)}.npy"
    if path.exists():
        return np.load(path).astype(np.float32)
    from torchvision.models import squeezenet1_1

    model = squeezenet1_1(num_classes=256).eval()
    weights = Path(options.data) / "pretrained-squeezenet/caltech256/model.pytorch_state"
    model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
    found = []
    with torch.no_grad():
        for images in train_set.arrays()[0][torch.from_numpy(rows)].split(64):
            size = (96, 96)
            x = torch.nn.functional.interpolate(images.float() / 255, size=size, mode="bilinear")
            x = (x - mean) / std
            parts = []
            for number, layer in enumerate(model.features):
                x = layer(x)
                if number in (7, 12):
                    parts.append(x.mean((2, 3)))
            found.append(torch.cat(parts, 1))
    features = torch.cat(found).numpy().astype(np.float16)
    with atomic_path(path) as whole, open(whole, "wb") as file:
        np.save(file, features)
    return features.astype(np.float32)  # as when they are read again


def measured(name: str, features, labels, wrong: np.ndarray, resamples: int) -> list[dict]:
    """A row per detector, and one per list."""
    table = label_noise_table(features, labels)
    ours = curate.score(table, "mislabel")
    detectors = {"mislabel": ours, **out_of_fold(features, labels), **dynamics(features, labels)}
    draws = np.random.default_rng(0).integers(0, len(labels), (resamples, len(labels)))
    of_ours = np.array([judged(ours[draw], wrong[draw]) for draw in draws])
    rows = []
    for detector, values in detectors.items():
        missed, precision = judged(values, wrong)
        row = {"labels": name, "detector": detector, "noise": float(wrong.mean())}
        row |= {"missed": missed, "average_precision": precision}
        if detector != "mislabel":
            others = np.array([judged(values[draw], wrong[draw]) for draw in draws])
            low, high = np.quantile(of_ours - others, (0.025, 0.975), axis=0)
            row |= {"missed_less": [low[0], high[0]], "precision_more": [low[1], high[1]]}
        rows.append(row)
    for asked in PRECISIONS:
        found = suspects(table, precision=asked)
        right = wrong[found.table["example_id"].to_numpy()]
        rows.append(
            {
                "labels": name, "detector": f"list at {asked:.0%}", "noise": float(wrong.mean()),
                "estimated_noise": found.noise, "size": len(right),
                "estimated": found.precision, "true": float(right.mean()) if len(right) else None,
            }
        )  # fmt: skip
    return rows


def judged(scores: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """The false-negative rate at the noise rate, and the average precision; low = wrong."""
    flagged = np.argsort(scores, kind="stable")[: wrong.sum()]
    return 1 - wrong[flagged].mean(), average_precision_score(wrong, -scores)


def out_of_fold(features, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Single scores of linear models trained on the other folds, mean over seeds."""
    values, rows = StandardScaler().fit_transform(features), np.arange(len(labels))
    logits = []
    for seed in range(SEEDS):
        fold_of = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
        found = np.empty((len(labels), labels.max() + 1))
        for fold in range(FOLDS):
            apart = fold_of == fold
            model = LogisticRegression(C=0.003, max_iter=100).fit(values[~apart], labels[~apart])
            found[apart] = model.decision_function(values[apart])
        logits.append(found)
    mean = np.mean(logits, 0)
    probabilities = np.mean([softmax(each, axis=1) for each in logits], 0)
    onehot = np.eye(labels.max() + 1)[labels]
    found = {
        "cross_fitted_margin": margins(mean, labels),
        "average probability, logit margin": margins(np.log(probabilities), labels),
        "average probability, margin": margins(probabilities, labels),
        "cross_fitted_confidence": probabilities[rows, labels],
        "cross_fitted_el2n": -np.linalg.norm(probabilities - onehot, axis=1),
    }
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return found
    for method in ("self_confidence", "normalized_margin"):
        for adjusted in (False, True):
            found[f"cleanlab {method}{', adjusted' * adjusted}"] = get_label_quality_scores(
                labels, probabilities, method=method, adjust_pred_probs=adjusted
            )
    return found


def margins(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows, others = np.arange(len(labels)), values.copy()
    others[rows, labels] = -np.inf
    return values[rows, labels] - others.max(1)


def dynamics(features, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of a linear head, recorded while it trained on these labels; high = label right."""
    values = torch.from_numpy(StandardScaler().fit_transform(features)).float()
    targets = torch.from_numpy(labels)
    torch.manual_seed(0)
    head = torch.nn.Linear(values.shape[1], int(targets.max()) + 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    recorder = curate.Recorder(len(labels))
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(128):
            logits = head(values[batch])
            loss = torch.nn.functional.cross_entropy(logits, targets[batch])
            recorder.update(batch, logits, targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recorder.end_epoch()
    table = recorder.table()
    scores = {name: -curate.score(table, name) for name in DYNAMICS}
    return {name: np.maximum(values, -1e9) for name, values in scores.items()}  # not infinite


def finished(kept: Path) -> list[dict]:
    rows = parquet.read_table(kept).to_pylist() if kept.exists() else []
    return [json.loads(row["row"]) for row in rows]


def keep(kept: Path, rows: list[dict]) -> None:
    texts = pa.table({"row": [json.dumps(row) for row in rows]})
    with atomic_path(kept) as path:
        parquet.write_table(texts, path)


def print_tables(rows: list[dict]) -> None:
    console = Console(highlight=False, width=110)
    for name in dict.fromkeys(row["labels"] for row in rows):
        chosen = [row for row in rows if row["labels"] == name]
        table = Table(title=f"{name}: {chosen[0]['noise']:.1%} wrong")
        for column in ("detector", "missed", "ours less", "AP", "ours more"):
            table.add_column(column, justify="left" if column == "detector" else "right")
        for row in chosen:
            if "missed" in row:
                less, more = row.get("missed_less"), row.get("precision_more")
                table.add_row(
                    row["detector"], f"{row['missed']:.1%}", interval(less),
                    f"{row['average_precision']:.1%}", interval(more),
                )  # fmt: skip
        console.print(table)
        lists = [row for row in chosen if "size" in row]
        said = [
            f"{r['size']:,} at {r['estimated']:.0%} (true {r['true']:.0%})"
            for r in lists
            if r["size"]
        ]
        console.print(
            f"lists: {'; '.join(said)}; estimated noise {lists[0]['estimated_noise']:.1%}"
        )


def interval(pair: list[float] | None) -> str:
    return "" if pair is None else f"{100 * pair[0]:+.1f} to {100 * pair[1]:+.1f}"


if __name__ == "__main__":
    main()
