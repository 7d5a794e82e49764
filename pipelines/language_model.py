"""Language modelling with light convolutions (Wu et al., ICLR 2019), and the ablation.

    python pipelines/language_model.py [--units words] [--steps 300] [--seeds 2] [--data FOLDER]

The paper's questions, on a small text: does light convolution reach self-attention with the same
number of parameters (section 6.1)? What do dynamic kernels, growing kernels, sharing a kernel
between channels, and the softmax add (section 6.2)? Characters are those of tiny Shakespeare, the
last tenth held out. Words are those of WikiText-2: trained on its test articles, measured on its
validation articles, as the training articles are not available; a word seen fewer than three times
is "<unk>". Finished runs (one JSON file per arm and seed) are not repeated.
"""

import argparse
import json
import lzma
import math
import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t as student

from curate.nn import LanguageModel

CHANNELS, HIDDEN, HEADS, GROWING = 128, 256, 4, (3, 7, 15, 31)
LENGTH, BATCH, RATE = 128, 16, 3e-3

# what differs from the lightweight model
ARMS: dict[str, dict[str, Any]] = {
    "attention": {"kind": "attention"},
    "lightweight": {},
    "dynamic": {"kind": "dynamic"},
    "lightweight, K = 15 throughout": {"kernel_sizes": (15,) * 4},
    "lightweight, K = 3 throughout": {"kernel_sizes": (3,) * 4},
    "lightweight, one kernel for all channels": {"num_heads": 1},
    "lightweight, one kernel per channel": {"num_heads": CHANNELS},
    "lightweight, no softmax": {"normalize": None},
}


def hidden_for(kind: str, kernels: tuple[int, ...], num_heads: int) -> int:
    """Width of the feed-forward layers that gives every arm the parameters of attention."""
    mixer = {"attention": 4 * CHANNELS, "lightweight": 3 * CHANNELS, "dynamic": 3 * CHANNELS}[kind]
    predicted = num_heads * sum(kernels) / len(kernels) if kind == "dynamic" else 0
    return HIDDEN + round((4 * CHANNELS - mixer - predicted) / 2)


def build(arm: dict[str, Any], vocabulary: int) -> LanguageModel:
    options = {"kernel_sizes": GROWING, "num_heads": HEADS, "kind": "lightweight"} | arm
    hidden = hidden_for(options["kind"], options["kernel_sizes"], options["num_heads"])
    return LanguageModel(vocabulary, CHANNELS, hidden, dropout=0.1, **options)


def characters(folder: Path) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Training and held-out codes, and the number of codes."""
    text = lzma.decompress((folder / "tinyshakespeare_input.txt.xz").read_bytes())
    alphabet, codes = np.unique(np.frombuffer(text, dtype=np.uint8), return_inverse=True)
    cut = len(codes) * 9 // 10
    return torch.from_numpy(codes[:cut]), torch.from_numpy(codes[cut:]), len(alphabet)


def words(folder: Path) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Training and held-out codes, and the number of codes; 0 is the unknown word."""
    train, held_out = (
        lzma.decompress((folder / name).read_bytes()).decode().replace("\n", " <eos> ").split()
        for name in ("wikitext2_test.txt.xz", "wikitext2_valid.txt.xz")
    )
    known = sorted(word for word, count in Counter(train).items() if count >= 3)
    code = {word: index for index, word in enumerate(dict.fromkeys(["<unk>", *known]))}
    encode = [torch.tensor([code.get(word, 0) for word in text]) for text in (train, held_out)]
    return encode[0], encode[1], len(code)


UNITS = {"characters": characters, "words": words}


def run(arm: str, seed: int, steps: int, units: str, folder: Path) -> dict[str, float]:
    """Train one arm with one seed; returns the bits per unit of the held-out text."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokens, held_out, vocabulary = UNITS[units](folder)
    model = build(ARMS[arm], vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for _ in range(steps):
        starts = torch.randint(len(tokens) - LENGTH, (BATCH, 1))
        piece = tokens[starts + torch.arange(LENGTH + 1)]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.eval()
    held_out = held_out[: (len(held_out) - 1) // LENGTH * LENGTH + 1]
    pieces = zip(held_out[:-1].view(-1, LENGTH), held_out[1:].view(-1, LENGTH), strict=True)
    with torch.no_grad():
        losses = [F.cross_entropy(model(inputs[None])[0], targets) for inputs, targets in pieces]
    bits = float(torch.stack(losses).mean()) / math.log(2)
    return {
        f"bits per {units.removesuffix('s')}": bits,
        "perplexity": 2**bits,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens per CPU second": steps * BATCH * LENGTH / seconds,
        "memory, MiB": (peak - before) / 1024,
    }


def cached(file: Path, work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """The result of ``work``, run in a new process to measure its peak memory, kept in a file."""
    if not file.exists():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            result = pool.apply(work, arguments)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(result))
        os.replace(partial, file)
    return json.loads(file.read_text())


def summary(title: str, results: dict[str, list[dict[str, float]]]) -> Table:
    """Means over seeds, of the first column with the 95 % t interval (from two seeds on)."""
    names = list(next(iter(results.values()))[0])
    table = Table(title=title)
    for name in ("arm", "seeds", *names):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for arm, runs in results.items():
        quality, seeds = np.array([run[names[0]] for run in runs]), len(runs)
        cell = f"{quality.mean():.3f}"
        if seeds > 1:
            spread = float(quality.std(ddof=1)) / seeds**0.5
            cell += f" ± {student.ppf(0.975, seeds - 1) * spread:.3f}"
        means = (np.mean([run[name] for run in runs]) for name in names[1:])
        rest = (f"{mean:,.0f}" if mean > 100 else f"{mean:.2f}" for mean in means)
        table.add_row(arm, str(seeds), cell, *rest)
    return table


def data_folder(argument: str | None) -> Path:
    folder = Path(argument or os.environ.get("CURATE_DATA", "")) / "text"
    if not folder.is_dir():
        raise SystemExit(f"{str(folder)!r} is no folder: give its parent as --data or CURATE_DATA")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", choices=UNITS, default="characters")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", help="folder that holds text/")
    parser.add_argument("--out", type=Path, default=Path("runs/language_model"))
    arguments = parser.parse_args()
    folder = data_folder(arguments.data)
    results: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    jobs = [(arm, seed) for seed in range(arguments.seeds) for arm in ARMS]
    for arm, seed in track(jobs, "training", transient=True):
        name = f"{arguments.units}-{arm.replace(' ', '_')}-{arguments.steps}-{seed}.json"
        work = (arm, seed, arguments.steps, arguments.units, folder)
        results[arm].append(cached(arguments.out / name, run, *work))
    Console(width=130).print(summary(f"{arguments.units}, {arguments.steps} steps", results))


if __name__ == "__main__":
    main()
