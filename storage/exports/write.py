"""An export from beginning to end: which texts, as what, to where, and described by what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.errors import StorageError
from storage.exports import llama_factory
from storage.exports.files import Parts, target, write_json_lines
from storage.exports.forms import Form, Kind, Record, records
from storage.exports.manifest import SUFFIX, Filters, Tally, manifest
from storage.exports.parquet import write_parquet
from storage.store import Store

DATASET_INFO = "dataset_info.json"

EVERYTHING = Filters()


@dataclass(frozen=True)
class ExportReport:
    """What was written: the file, its number of records and its hash; and of the approved texts, why some are not.

    `texts` of them are in it; what stayed out may count under several reasons.
    """

    file: Path
    records: int
    sha256: str
    approved: int
    texts: int
    left_out: dict[str, int]


def export(
    store: Store,
    kind: Kind,
    out: Path,
    *,
    edition: str,
    form: Form = "jsonl",
    filters: Filters = EVERYTHING,
    licence: str | None = None,
) -> ExportReport:
    """Write what may leave as training data, and a manifest beside it; both or neither.

    Args:
        store: whose texts.
        kind: see `forms`.
        out: the file; its manifest is NAME.manifest.json.
        edition: of the phrases with which posts have to have been read (`Curation.note_read`).
        form: of the file.
        filters: which texts of those that may leave.
        licence: under which the centre gives them on; kept in the manifest as it is.

    Raises:
        StorageError: nothing_approved; nothing_leaves (approved), if none may or all are filtered out; export_changed;
            export_mismatch (draft_id); form_unknown (kind), if LLaMA-Factory has none; parquet_missing;
            dataset_info_unreadable (file); disk_full; as `files.target`. All files are then as they were before.
    """
    if form == "llama-factory" and kind not in llama_factory.KINDS:
        raise StorageError("form_unknown", kind=kind)
    place = target(out, store.folder)
    if place.name == DATASET_INFO:
        raise StorageError("export_not_a_file", file=str(place))
    beside = target(place.with_name(place.name + SUFFIX), store.folder)
    tally = Tally()
    with Parts() as parts:
        with parts.file(place) as file:
            rows = _rows(store, kind, edition, filters, tally)
            if form == "parquet":
                sha256 = write_parquet(file, kind, rows)
            else:
                sha256 = write_json_lines(file, _in_form(kind, form, rows))
        if not tally.approved:
            raise StorageError("nothing_approved")
        if not tally.rows:
            raise StorageError("nothing_leaves", approved=tally.approved)
        described = manifest(kind, form, place.name, sha256, tally, filters, licence)
        if form == "llama-factory":
            _write_json(parts, target(place.with_name(DATASET_INFO), store.folder), _with_entry(place, kind))
        _write_json(parts, beside, described)
        # Before anybody can see the file: what leaves is on record even if the desk dies in between.
        store.curation.leave(edition, tally.texts)
        parts.take_places()
    return ExportReport(place, tally.rows, sha256, tally.approved, len(tally.texts), described["left_out"])


def _rows(store: Store, kind: Kind, edition: str, filters: Filters, tally: Tally) -> Iterator[Record]:
    for whole in store.curation.dossiers(edition):
        dossier = tally.leaving(whole, filters)
        for record, items in records(kind, dossier, filters.min_edit):
            tally.count(items)
            yield record
        tally.finish(dossier)


def _in_form(kind: Kind, form: Form, rows: Iterable[Record]) -> Iterable[Record]:
    return (llama_factory.converted(kind, row) for row in rows) if form == "llama-factory" else rows


def _with_entry(place: Path, kind: Kind) -> dict[str, Any]:
    """LLaMA-Factory's list of data sets in the file's folder, with this one in it."""
    listing = place.with_name(DATASET_INFO)
    try:
        known = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict):
        raise StorageError("dataset_info_unreadable", file=str(listing))
    return {**known, place.stem: llama_factory.entry(kind, place.name)}


def _write_json(parts: Parts, out: Path, value: dict[str, Any]) -> None:
    with parts.file(out) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")
