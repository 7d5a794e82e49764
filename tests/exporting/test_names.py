import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.exporting.names import Names, safe_name

ANY_TEXT = st.text(st.characters(), max_size=300)
PIECES = "/ \\ .. . a A ä a\u0308 CON nul com1 _ - : * ~ \u202e ß SS ﬁ fi 日本 🐕 .png"
NASTY = st.lists(st.sampled_from([*PIECES.split(" "), "\0", "\n", " ", "\ud800"]), max_size=6).map(
    "".join
)
WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}


@settings(max_examples=300)
@given(ANY_TEXT | NASTY)
@example("x" * 10_000)
@example("日" * 400)
def test_a_safe_name_is_one_component_on_every_system(text):
    name = safe_name(text)
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\:*?"<>|\0')
    assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in name)
    assert len(name.encode()) <= 180
    assert not name.startswith((".", "__", " "))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().lower() not in WINDOWS_DEVICES
    assert safe_name(text) == name


@settings(max_examples=100)
@given(ANY_TEXT | NASTY)
def test_the_file_lands_in_its_folder(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("names")
    place = folder / Names().take(text, ".png")
    place.write_bytes(b"x")
    assert [entry.name for entry in folder.iterdir()] == [place.name]
    assert place.resolve().parent == folder.resolve()


@settings(max_examples=200)
@given(st.lists(ANY_TEXT | NASTY, max_size=12))
def test_no_two_names_clash_where_case_and_accents_do_not_count(texts):
    names, again = Names(("README.md",)), Names(("README.md",))
    given_out = [names.take(text, ".png") for text in [*texts, *texts]]
    folded = {unicodedata.normalize("NFC", name).casefold() for name in given_out}
    assert len(folded) == 2 * len(texts)
    assert [again.take(text, ".png") for text in [*texts, *texts]] == given_out


@pytest.mark.parametrize(
    "text", ["cat", "golden retriever", "Ägypten", "日本", "🐕", "a.b-c_d", "n01440764", "'tis $5"]
)
def test_harmless_names_stay(text):
    assert safe_name(text) == text
    assert Names().take(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "_etc_passwd"),
        ("/abs", "_abs"),
        ("C:\\x", "C__x"),
        ("..", "_"),
        ("", "_"),
        ("con", "_con"),
        ("Aux.txt", "_Aux.txt"),
        ("__init__", "_init__"),
        (".hidden", "_hidden"),
        ("end. ", "end_"),
    ],
)
def test_harmful_names_change(text, name):
    assert safe_name(text) == name


def test_names_that_are_taken_are_not_given_out():
    names = Names(("README.md", "provenance.json"))
    assert names.take("readme.MD") != "readme.MD"
    assert names.take("provenance.json").startswith("provenance.json-")
    assert names.take("a") == "a"
    assert names.take("A").startswith("A-")
