"""What a shell offers: commands, and the values of options that take one of some names."""

import pytest

from curate.cli.app import main
from curate.exporting import FORMATS
from curate.features import FEATURES
from curate.pruning import STRATEGIES
from curate.scores import SCORES


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("curate ex", ["export"]),
        ("curate prune --strategy ", list(STRATEGIES)),
        ("curate prune --by f", [name for name in SCORES if name.startswith("f")]),
        ("curate run --by ", list(SCORES)),
        ("curate run --stratify ", ["label", "none"]),
        ("curate export --format ", list(FORMATS)),
        ("curate identify --features ", [*FEATURES, "network"]),
        ("curate audit --features loc", ["local_dct"]),
    ],
)
def test_a_shell_completes(monkeypatch, capsys, typed, offered):
    monkeypatch.setenv("_CURATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == offered
