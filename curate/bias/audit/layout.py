"""How an image file is laid out: the hand of the program that wrote it."""

import struct

_STANDARD = {
    bytes((0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)),
    bytes((0, 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)),
    bytes((1, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125)),
    bytes((1, 0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119)),
}
"""Huffman tables of the JPEG standard (ITU-T T.81, tables K.3 to K.6): 0 for DC or 1 for AC, and
how many codes of 1 to 16 bits there are."""

_COMPRESSION = 259
"""The tag of a TIFF that names how its pixels are packed."""


def layout(content: bytes) -> str:
    """A short description that is the same for files of one program and one set of options.

    Args:
        content: the bytes of the file.

    Returns:
        Of a JPEG the segments up to the first scan and whether bytes follow its end, of a PNG and a
        WebP the chunks, of a TIFF the tags and the compression, of others "".
    """
    if content[:2] == b"\xff\xd8":
        return _of_jpeg(content)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _of_png(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _of_webp(content)
    if content[:4] in (b"II*\0", b"MM\0*"):
        return _of_tiff(content)
    return ""


def _of_jpeg(content: bytes) -> str:
    place = 2
    parts: list[str] = []
    made = False  # the Huffman tables, for this picture
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        name = f"{marker:02X}"
        if marker == 0xC4:
            made = made or not _are_standard(content[place + 4 : place + 2 + length])
        if not parts or parts[-1] != name:
            parts.append(name)
        if marker == 0xDA:
            break
        place += 2 + length
    end = content.find(b"\xff\xd9", place)  # the scan's own bytes never hold it
    words = [part + "*" if part == "C4" and made else part for part in parts]
    return " ".join(words) + (" +" if 0 <= end < len(content) - 2 else "")


def _of_webp(content: bytes) -> str:
    place, parts = 12, []
    while place + 8 <= len(content):
        parts.append(content[place : place + 4].decode("latin-1").strip())
        (length,) = struct.unpack("<I", content[place + 4 : place + 8])
        place += 8 + length + length % 2
    return " ".join(parts) + ("" if place == len(content) else " +")


def _of_tiff(content: bytes) -> str:
    order = "<" if content[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, start)
        parts = [content[:2].decode()]
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", content, start + 2 + 12 * entry)
            parts.append(f"{tag}={value}" if tag == _COMPRESSION else str(tag))
    except struct.error:
        return "torn"
    return " ".join(parts)


def _are_standard(tables: bytes) -> bool:
    """Whether the Huffman tables of one segment are those of the standard."""
    while len(tables) >= 17:
        if bytes((tables[0] >> 4,)) + tables[1:17] not in _STANDARD:
            return False
        tables = tables[17 + sum(tables[1:17]) :]
    return True


def _of_png(content: bytes) -> str:
    place = 8
    parts: list[str] = []
    while place + 8 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind = content[place + 4 : place + 8].decode("latin-1")
        if place + 12 + length > len(content):
            return " ".join([*parts, "torn"])
        name = kind
        if kind == "IDAT" and "IDAT" not in "".join(parts):
            name += f"{content[place + 9] >> 6}" if length > 1 else ""
        elif kind == "IDAT":
            name = parts[-1]
        elif kind == "IHDR" and length >= 13:  # depth and interlacing
            name += f"{content[place + 16]}{content[place + 20]}"
        if not parts or parts[-1] != name:
            parts.append(name)
        place += 12 + length
        if kind == "IEND":
            break
    end = "" if place >= len(content) else "+"
    return " ".join(parts) + end
