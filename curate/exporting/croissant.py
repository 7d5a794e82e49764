"""``croissant.json``: what the export holds, for tools that read Croissant 1.0 (MLCommons)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

FILE = "croissant.json"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(folder: Path, origin: dict[str, Any]) -> None:
    """Describe the files of an export, and the columns of its Parquet files.

    Columns of types that Croissant has no word for, such as lists, are left out; pictures are the
    ``bytes`` of their column.

    Args:
        folder: of the export; every Parquet file in it has the same columns.
        origin: what :func:`provenance` says.
    """
    import pyarrow.parquet as pq

    counts = origin["counts"]
    tables, shards = (sorted(folder.rglob(f"*.{kind}")) for kind in ("parquet", "tar"))
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"kept-{origin['content'].removeprefix('sha256:')[:16]}",
        "description": f"{counts['kept']:,} of {counts['total']:,} examples, chosen by curate.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "datePublished": origin["date"],
        "version": "1.0.0",
        "distribution": [_file(folder, path) for path in [*tables, *shards]],
        "recordSet": [
            _records(f"records-{number}", _name(folder, path), pq.read_schema(path))
            for number, path in enumerate(tables)
        ],
    }
    text = json.dumps(described, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _file(folder: Path, path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return {
        "@type": "cr:FileObject",
        "@id": _name(folder, path),
        "name": _name(folder, path),
        "contentUrl": _name(folder, path),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": f"application/x-{path.suffix[1:]}",
        "sha256": digest.hexdigest(),
    }


def _records(identity: str, file: str, schema: pa.Schema) -> dict[str, Any]:
    fields = []
    for number, column in enumerate(schema):
        kind = "sc:ImageObject" if _is_picture(column.type) else _kind(column.type)
        if kind is None:
            continue
        source: dict[str, Any] = {"fileObject": {"@id": file}, "extract": {"column": column.name}}
        if _is_picture(column.type):
            source["transform"] = {"jsonPath": "bytes"}
        # the reader of Croissant knows no ids with spaces, which a column's name may have
        field = {"@type": "cr:Field", "@id": f"{identity}/{number}", "name": column.name}
        fields.append({**field, "dataType": kind, "source": source})
    return {"@type": "cr:RecordSet", "@id": identity, "name": file, "field": fields}


def _is_picture(kind: pa.DataType) -> bool:
    """A struct of ``bytes`` and ``path``, as Hugging Face writes pictures."""
    if not pa.types.is_struct(kind):
        return False
    return {field.name for field in kind} == {"bytes", "path"}


def _kind(kind: pa.DataType) -> str | None:
    for check, name in (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_string, "sc:Text"),
        (pa.types.is_large_string, "sc:Text"),
    ):
        if check(kind):
            return name
    return None
