"""Eighty networks of torchvision, timm and Hugging Face with Fixup and with their normalisation.

    python benchmarks/fixup_zoo.py [NAME ...] [--again] [--device cuda] [--out FILE]

Each network learns one batch of random numbers by heart for 60 steps, as built and after
``fixup_``; the ratio is that of how far below chance the losses are at the end. A run goes on where
the last one stopped; the figures are kept in benchmarks/results/fixup-zoo.json, or in FILE (one for
each of several processes at once). Prints the table of docs/benchmarks.md, 'Fixup on a zoo of
networks'.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from setups.zoo import Net, zoo
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map

from curate.files import atomic_path
from curate.nn import FixupError, diagnose, fixup_, fixup_param_groups

RESULTS = Path(__file__).with_name("results") / "fixup-zoo.json"
STEPS, LIMIT = 60, 240.0
"""Steps of each contestant, and the CPU seconds that one network may take."""


def losses(net: Net, model: nn.Module, batch: tuple[Any, Tensor], until: float) -> list[float]:
    """The loss before each step; it ends early where it is no number, or at a CPU time."""
    groups: Any = list(model.parameters())
    if any("fixup" in name for name, _ in model.named_parameters()):
        groups = fixup_param_groups(model, net.lr, scalar_lr_ratio="depth")
    kinds = {"sgd": lambda: torch.optim.SGD(groups, net.lr, momentum=0.9),
             "adam": lambda: torch.optim.Adam(groups, net.lr)}  # fmt: skip
    optimizer, inputs, labels, found = kinds[net.optimizer](), *batch, []
    for _ in range(STEPS):
        loss = cross_entropy(model(inputs), labels)
        found.append(loss.item())
        if not math.isfinite(found[-1]):
            break
        if time.process_time() > until:
            raise TimeoutError(f"{len(found)} steps in {LIMIT:.0f} s")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


def after(found: list[float]) -> float:
    """The mean of the last five losses; infinite where one is no number."""
    return sum(found[-5:]) / len(found[-5:]) if math.isfinite(found[-1]) else math.inf


def measured(net: Net, device: str) -> dict[str, Any]:
    """One row of the results."""
    until = time.process_time() + LIMIT
    torch.manual_seed(0)
    model = net.build().to(device)
    batch = tree_map(lambda each: each.to(device), net.batch())
    try:
        example = batch[0] if net.optimizer == "sgd" else None
        report = fixup_(getattr(model, "model", model), example_inputs=example, verbose=False)
    except FixupError as error:
        return {"accepted": False, "reason": str(error)}
    try:
        diagnosis = diagnose(model, batch, lr=0.05)
        fixed = losses(net, model, batch, until)
        torch.manual_seed(0)
        own = losses(net, net.build().to(device), batch, until)
        chance = math.log(model(batch[0]).shape[-1])
    except Exception as error:  # a network that cannot be run, too, is an outcome
        return {"accepted": True, "reason": f"{type(error).__name__}: {error}"}
    # where its own normalisation learns nothing, anything is more
    ratio = (chance - after(fixed)) / max(chance - after(own), 0.01)
    ratio = ratio if math.isfinite(ratio) else -1.0
    return {
        "accepted": True, "branches": report.num_branches, "own": [own[0], after(own)],
        "fixup": [fixed[0], after(fixed)], "ratio": ratio,
        "healthy": diagnosis.healthy, "agrees": diagnosis.healthy == (ratio >= 0.5),
        "updates": [u / diagnosis.lr for u in diagnosis.updates],
        "differences": [u / diagnosis.lr for u in diagnosis.differences],
        "probe": list(diagnosis.losses),
    }  # fmt: skip


def shown(rows: dict[str, dict[str, Any]]) -> Table:
    """The table of docs/benchmarks.md."""
    table = Table(title=f"{STEPS} steps by heart; goal: ratio at least 0.5, or refused by name")
    for column in ("network", "branches", "own norm", "Fixup", "ratio", "diagnose"):
        table.add_column(column, overflow="fold")
    for name, row in rows.items():
        if "ratio" not in row:
            table.add_row(name, "", "", "", "refused" if not row["accepted"] else "no figure",
                          row["reason"].split(";")[0][:60])  # fmt: skip
            continue
        own, fixed = ("{:.2f} -> {:.2f}".format(*row[key]) for key in ("own", "fixup"))
        healthy = "healthy" if row["healthy"] else "not healthy"
        verdict = healthy + ("" if row["agrees"] else " (wrong)")
        table.add_row(name, str(row["branches"]), own, fixed, f"{row['ratio']:.2f}", verdict)
    accepted = [row for row in rows.values() if "ratio" in row]
    good = sum(row["ratio"] >= 0.5 for row in accepted)
    agree = sum(row["agrees"] for row in accepted)
    refused = sum(not row["accepted"] for row in rows.values())
    table.caption = (
        f"{len(rows)} networks: {refused} refused by name, {len(accepted)} accepted, of which "
        f"{good} learn at least half as much as with their own; diagnose is right on {agree}"
    )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of names; none: all")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; noted in the rows if not cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    nets = zoo()
    rows = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for name, net in nets.items():
        chosen = not arguments.names or any(part in name for part in arguments.names)
        if not chosen or (name in rows and not arguments.again):
            continue
        rows[name] = measured(net, arguments.device)
        if arguments.device != "cpu":
            rows[name]["device"] = arguments.device
        rows = {each: rows[each] for each in nets if each in rows}
        with atomic_path(arguments.out) as path:
            path.write_text(json.dumps(rows, indent=1))
        print(name, {k: v for k, v in rows[name].items() if k != "reason"}, flush=True)
    Console(width=120).print(shown(rows))


if __name__ == "__main__":
    main()
