import pytest
import torch
from torch.nn.functional import cross_entropy

from curate.nn import EncoderDecoder, LanguageModel, TextClassifier, beam_search
from curate.nn.light.modules.language_model import reordered

KINDS = ["lightweight", "dynamic", "attention"]
PAD, START, END = 0, 1, 2


def language_model(kind, **options):
    torch.manual_seed(0)
    return LanguageModel(11, 8, 12, (3, 5), num_heads=2, kind=kind, **options).double()


def translator(kind, **options):
    torch.manual_seed(0)
    return EncoderDecoder(9, 8, 12, (3, 5), (3, 5), num_heads=2, kind=kind, **options).double()


@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_steps_as_it_reads(kind):
    model = language_model(kind)
    tokens = torch.randint(11, (3, 9))
    state, parts = None, []
    for chunk in tokens.split((1, 4, 1, 3), 1):
        logits, state = model.step(chunk, state)
        parts.append(logits)
    whole = model(tokens)
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    index = torch.tensor([2, 0])
    _, state = model.step(tokens[:, :5])
    logits, _ = model.step(tokens[index, 5:], reordered(state, index))
    torch.testing.assert_close(logits, whole[index, 5:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_does_not_see_what_comes(kind):
    model = language_model(kind)
    tokens = torch.randint(11, (1, 9))
    other = tokens.clone()
    other[0, 5:] = (other[0, 5:] + 1) % 11
    torch.testing.assert_close(model(tokens)[:, :5], model(other)[:, :5])
    assert not torch.allclose(model(tokens)[:, 5:], model(other)[:, 5:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_translator_does_not_see_padding_and_steps_as_it_reads(kind):
    model = translator(kind).eval()
    source, target = torch.randint(3, 9, (2, 6)), torch.randint(3, 9, (2, 5))
    logits = model(source, target)
    padded = torch.cat((source, torch.zeros(2, 3, dtype=source.dtype)), 1)
    torch.testing.assert_close(model(padded, target), logits)
    memory, mask = model.encode(padded)
    first, state = model.step(target[:, :2], memory, mask)
    rest, _ = model.step(target[:, 2:], memory, mask, state)
    torch.testing.assert_close(torch.cat((first, rest), 1), logits)


def exhaustive(model, source, longest):
    """Every target up to a length, scored by a forward pass: slow and obvious."""
    best = (-torch.inf, [])
    stack = [[]]
    while stack:
        target = stack.pop()
        with torch.no_grad():
            tokens = torch.tensor([[START, *target]])
            logp = model(source, tokens)[0].log_softmax(1)
        total = sum(logp[i, token].item() for i, token in enumerate([*target, END]))
        best = max(best, (total / (len(target) + 1), target))
        if len(target) + 1 < longest:
            stack += [[*target, token] for token in range(9) if token != END]
    return best[1]


def test_a_wide_beam_finds_the_best_target():
    model = translator("lightweight").eval()
    source = torch.randint(3, 9, (3, 4))
    found = beam_search(model, source, start_id=START, end_id=END, beam=64, longest=3)
    assert found == [exhaustive(model, row[None], 3) for row in source]


def test_a_beam_of_one_is_greedy():
    model = translator("dynamic").eval()
    source = torch.randint(3, 9, (2, 4))
    (one, two) = beam_search(model, source, start_id=START, end_id=END, beam=1, longest=6)
    assert [one] == beam_search(model, source[:1], start_id=START, end_id=END, beam=1, longest=6)
    assert len(two) < 6


def test_a_translator_learns_to_copy():
    torch.manual_seed(0)
    model = EncoderDecoder(12, 32, 64, (3,), (3,), num_heads=2)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(150):
        source = torch.randint(3, 12, (32, 3))
        ends = torch.full((32, 1), END)
        target = torch.cat((torch.full((32, 1), START), source, ends), 1)
        logits = model(torch.cat((source, ends), 1), target[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(3, 12, (20, 3))
    ends = torch.full((20, 1), END)
    found = beam_search(model.eval(), torch.cat((source, ends), 1), start_id=START, end_id=END)
    right = sum(target == row for target, row in zip(found, source.tolist(), strict=True))
    assert right >= 15


def test_a_classifier_does_not_see_padding():
    torch.manual_seed(0)
    model = TextClassifier(20, 3, padding_id=PAD).double().eval()
    tokens = torch.randint(1, 20, (2, 7))
    padded = torch.cat((tokens, torch.zeros(2, 4, dtype=tokens.dtype)), 1)
    torch.testing.assert_close(model(padded), model(tokens))
    torch.testing.assert_close(model(padded, padded == PAD), model(tokens))
    assert model(torch.zeros(1, 4, dtype=torch.int64)).isfinite().all()


def test_a_classifier_treats_each_example_by_itself():
    from curate.scores import grand

    torch.manual_seed(0)
    model = TextClassifier(20, 3).eval()
    tokens, labels = torch.randint(0, 20, (6, 9)), torch.randint(0, 3, (6,))
    norms = grand(model, tokens, labels)
    for i in range(6):
        model.zero_grad()
        cross_entropy(model(tokens[i : i + 1]), labels[i : i + 1]).backward()
        norm = sum(parameter.grad.square().sum() for parameter in model.parameters()) ** 0.5
        assert norms[i] == pytest.approx(norm.item(), rel=1e-4)


def test_a_classifier_learns():
    torch.manual_seed(0)
    tokens = torch.randint(3, 20, (256, 12))
    labels = torch.randint(0, 2, (256,))
    tokens[torch.arange(256), torch.randint(12, (256,))] = 1 + labels  # one token tells the class
    model = TextClassifier(20, 2, channels=16, kernel_sizes=(3,))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        loss = cross_entropy(model(tokens), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model.eval()(tokens).argmax(1) == labels).float().mean() > 0.95
