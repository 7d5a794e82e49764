"""Slow, obviously right statistics of presentations: one Python dict an example."""

import math
from collections import defaultdict
from itertools import pairwise

import torch


def softmax(row):
    top = max(row)
    exps = [math.exp(value - top) for value in row]
    return [value / sum(exps) for value in exps]


def outcome(row, label):
    """One multiclass presentation of float64 logits: a dict of what is recorded."""
    others = [value for j, value in enumerate(row) if j != label]
    # -inf rules a class out; NaN, inf, or nothing left to compare with is not finite
    legal = all(math.isfinite(value) or value == -math.inf for value in row)
    if not (legal and math.isfinite(row[label]) and math.isfinite(max(others))):
        return {"correct": False, "finite": False}
    p = softmax(row)
    onehot = [float(j == label) for j in range(len(row))]
    top = max(row)
    loss = math.log(sum(math.exp(v - top) for v in row)) + top - row[label]
    return {
        "correct": row.index(max(row)) == label,  # list.index: the lowest of equals
        "finite": True,
        "loss": loss,
        "margin": row[label] - max(v for j, v in enumerate(row) if j != label),
        "confidence": p[label],
        "el2n": math.sqrt(sum((a - b) ** 2 for a, b in zip(p, onehot, strict=True))),
    }


class Reference:
    """Collects every outcome of every example in order, and computes at the end."""

    def __init__(self):
        self.outcomes = defaultdict(list)
        self.label = {}

    def update(self, ids, logits, labels):
        rows = torch.as_tensor(logits).double().tolist()
        for example, row, label in zip(ids, rows, labels, strict=True):
            self.outcomes[example].append(outcome(row, int(label)))
            self.label[example] = int(label)

    def row(self, example):
        seen = self.outcomes[example]
        if not seen:
            return {"presentations": 0}
        correct = [each["correct"] for each in seen]
        pairs = list(pairwise(correct))
        finite = [each for each in seen if each["finite"]]
        found = {
            "label": self.label[example],
            "presentations": len(seen),
            "correct": sum(correct),
            "forgetting_events": sum(a and not b for a, b in pairs),
            "learning_events": sum(b and not a for a, b in pairs),
            "first_learned": correct.index(True) + 1 if any(correct) else None,
            "non_finite": len(seen) - len(finite),
            "history": correct,
        }
        last = seen[-1]
        found["last_loss"], found["margin_last"] = last.get("loss"), last.get("margin")
        names = {"loss": "loss_mean", "margin": "margin_mean", "el2n": "el2n_mean"}
        for name, column in {**names, "confidence": "confidence_mean"}.items():
            values = [each[name] for each in finite]
            found[column] = sum(values) / len(values) if values else None
        if finite:
            mean = found["confidence_mean"]
            squares = [(each["confidence"] - mean) ** 2 for each in finite]
            found["confidence_std"] = math.sqrt(sum(squares) / len(squares))
        return found


def assert_matches(table, reference, rel=1e-9, abs_=1e-9):
    """Every cell of the table that the reference knows equals it; the rest is null."""
    for row in table.to_pylist():
        expected = reference.row(row["example_id"])
        for name, value in row.items():
            if name in ("example_id", "epoch_ends"):
                continue
            want = expected.get(name, [] if name == "history" else None)
            where = (row["example_id"], name, value, want)
            if isinstance(want, float) and value is not None:
                assert math.isclose(value, want, rel_tol=rel, abs_tol=abs_), where
            else:
                assert value == want, where
