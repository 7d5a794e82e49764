"""File names from class names and ids: whatever these hold, the name stays in its folder."""

import hashlib
import re
import unicodedata

_MOST_BYTES = 180  # of 255, so that an extension and a mark of difference still fit
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\/:*?"<>|\u2028\u2029\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.I)


def safe_name(text: str) -> str:
    """A name for one file or folder on any system, as near to ``text`` as can be.

    Separators, control characters and those that Windows forbids become ``_``, as do a leading
    dot, two leading underscores (Hugging Face skips both), and dots and blanks at the end.
    Device names of Windows gain a leading ``_``. A long name is cut and marked with a hash. The
    result is never empty, ``.`` or ``..``; letters of all scripts stay.
    """
    name = _FORBIDDEN.sub("_", text)
    kept = name.rstrip("." + _BLANKS)
    name = kept + "_" if kept != name else name
    if name.startswith((".", "__", *_BLANKS)):
        name = "_" + name.lstrip("._" + _BLANKS)
    if not name or _RESERVED.fullmatch(name):
        name = "_" + name
    if len(name.encode()) > _MOST_BYTES:
        cut = name.encode()[: _MOST_BYTES - 9].decode(errors="ignore")
        name = f"{cut}-{_mark(text)}"
    return name


class Names:
    """Hands out names that differ from each other, also where case or accents' form does not count.

    The first to ask keeps its name; a later one that would clash gains a hash of its own text.
    """

    def __init__(self, taken: tuple[str, ...] = ()) -> None:
        self._taken = {_folded(name) for name in taken}

    def take(self, text: str, extension: str = "") -> str:
        """A safe name for ``text``, ending in ``extension`` (such as ".png")."""
        stem = safe_name(text)
        name, attempt = stem + extension, 0
        while _folded(name) in self._taken:
            name = f"{stem}-{_mark(f'{attempt}{text}')}{extension}"
            attempt += 1
        self._taken.add(_folded(name))
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


_BLANKS = " \t\u00a0\u3000"
