"""German to English with light convolutions against self-attention (Wu et al., ICLR 2019).

    python pipelines/translate.py [--steps 800] [--seeds 2] [--data FOLDER] [--out FOLDER]

Multi30k (29,000 training pairs), a joint byte-pair vocabulary, encoder-decoders of two layers
each with the same number of parameters; BLEU by sacrebleu on the 1,000 pairs of test_2016_flickr,
beam 4. Finished runs (one JSON file per arm and seed) are not repeated. Needs ``tokenizers``
and ``sacrebleu``.
"""

import argparse
import functools
import resource
import tarfile
import time
from pathlib import Path

import sacrebleu
import tokenizers
import torch
import torch.nn.functional as F
from language_model import cached, data_folder, summary
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from curate.nn import EncoderDecoder, beam_search

CHANNELS, HIDDEN, HEADS = 128, 256, 4
ENCODER, DECODER = (3, 7), (3, 7)
VOCABULARY, BATCH, RATE = 4000, 64, 3e-3
PAD, START, END = 0, 1, 2
ARMS = ("attention", "lightweight", "dynamic")


def build(kind: str) -> EncoderDecoder:
    # a convolution's projections have 3 C² weights and attention's 4 C²: the rest goes into hidden
    predicted = HEADS * sum(ENCODER + DECODER) / len(ENCODER + DECODER)
    spare = {"attention": 0.0, "lightweight": CHANNELS, "dynamic": CHANNELS - predicted}[kind]
    return EncoderDecoder(
        VOCABULARY,
        CHANNELS,
        HIDDEN + round(spare / 2),
        ENCODER,
        DECODER,
        num_heads=HEADS,
        kind=kind,
        dropout=0.1,
        weight_dropout=0.1,
        padding_id=PAD,
    )


@functools.cache
def sentences(archive: Path, name: str) -> list[str]:
    with tarfile.open(archive) as files:
        member = files.extractfile(name)
        assert member is not None
        return member.read().decode().splitlines()


def byte_pairs(archive: Path) -> tokenizers.Tokenizer:
    """A joint vocabulary, learned from the training pairs; the same in every run."""
    tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=True)
    lines = sentences(archive, "train.de") + sentences(archive, "train.en")
    special = ["<pad>", "<s>", "</s>"]
    tokenizer.train_from_iterator(lines, VOCABULARY, special_tokens=special, show_progress=False)
    return tokenizer


def encoded(tokenizer: tokenizers.Tokenizer, lines: list[str]) -> list[Tensor]:
    return [torch.tensor([START, *piece.ids, END]) for piece in tokenizer.encode_batch(lines)]


def padded(pieces: list[Tensor]) -> Tensor:
    return pad_sequence(pieces, batch_first=True, padding_value=PAD)


def run(arm: str, seed: int, steps: int, archive: Path) -> dict[str, float]:
    """Train one arm with one seed, and measure BLEU on the test set."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokenizer = byte_pairs(archive)
    german, english = (encoded(tokenizer, sentences(archive, f"train.{x}")) for x in ("de", "en"))
    # batches of similar lengths, in random order
    order = sorted(range(len(german)), key=lambda i: (len(english[i]), len(german[i])))
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    model = build(arm)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, trained = 0.0, 0
    for _ in range(steps):
        batch = batches[int(torch.randint(len(batches), ()))]
        source, target = (padded([side[i] for i in batch]) for side in (german, english))
        start = time.process_time()
        logits = model(source, target[:, :-1])
        loss = F.cross_entropy(
            logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        seconds += time.process_time() - start
        trained += int((target != PAD).sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.eval()
    sources = encoded(tokenizer, sentences(archive, "test_2016_flickr.de"))
    translations: list[str] = []
    start = time.process_time()
    for i in range(0, len(sources), 50):
        source = padded(sources[i : i + 50])
        targets = beam_search(
            model, source, start_id=START, end_id=END, longest=min(2 * source.shape[1], 60)
        )
        translations += [text.strip() for text in tokenizer.decode_batch(targets)]
    decoding = time.process_time() - start
    bleu = sacrebleu.corpus_bleu(translations, [sentences(archive, "test_2016_flickr.en")])
    return {
        "BLEU": bleu.score,
        "parameters": sum(p.numel() for p in model.parameters()),
        "target tokens per CPU second": trained / seconds,
        "sentences decoded per CPU second": len(translations) / decoding,
        "memory, MiB": (peak - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", help="folder that holds text/")
    parser.add_argument("--out", type=Path, default=Path("runs/translate"))
    arguments = parser.parse_args()
    archive = data_folder(arguments.data) / "multi30k_task1_raw_en_de.tar.xz"
    results: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    jobs = [(arm, seed) for seed in range(arguments.seeds) for arm in ARMS]
    for arm, seed in track(jobs, "training", transient=True):
        file = arguments.out / f"{arm}-{arguments.steps}-{seed}.json"
        results[arm].append(cached(file, run, arm, seed, arguments.steps, archive))
    Console(width=130).print(
        summary(f"Multi30k, German to English, {arguments.steps} steps", results)
    )


if __name__ == "__main__":
    main()
