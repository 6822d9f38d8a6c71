"""What stands beside an exported file: what it holds, where that came from, and what was left out and why.

People are numbers of the database here. The file leaves the house, and who reviewed is the centre's to look up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage.curation_records import Dossier, Item, Purpose
from storage.exports.forms import Kind

MANIFEST_VERSION = 1
SUFFIX = ".manifest.json"

PURPOSE: Purpose = "training"
"""What every help-seeker of an export has agreed to."""


@dataclass(frozen=True)
class Filters:
    """Which of the texts that may leave are wanted; none of it: all of them.

    `since` and `until` are of the moment at which the approved text was saved (from, and before). `model` is the
    beginning of the sha256 of the model that drafted. `min_edit`: of pairs, the characters a person has changed.
    """

    since: datetime | None = None
    until: datetime | None = None
    reviewer: int | None = None
    model: str | None = None
    min_edit: int = 1

    def want(self, item: Item) -> bool:
        """Whether an item is asked for; `min_edit` is asked of its pairs instead."""
        return (
            (self.since is None or item.saved_at >= self.since)
            and (self.until is None or item.saved_at < self.until)
            and (self.reviewer is None or self.reviewer in item.reviewers)
            and (self.model is None or item.model_sha256.startswith(self.model.lower()))
        )


@dataclass
class Tally:
    """Counts, as an export goes through the approved texts."""

    approved: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str]] = field(default_factory=Counter)
    prompts: Counter[str] = field(default_factory=Counter)
    formats: set[int] = field(default_factory=set)
    reviewers: set[int] = field(default_factory=set)
    texts: dict[int, str] = field(default_factory=dict)
    rows: int = 0

    def leaving(self, dossier: Dossier, filters: Filters) -> Dossier:
        """The dossier with only the texts that may leave and are wanted; what is left out is counted by its reasons.

        Nothing of a post leaves, rejected texts neither, unless an approved text of it does.
        """
        self.approved += len(dossier.approved)
        kept = []
        for item in dossier.approved:
            reasons = item.missing or (() if filters.want(item) else ("filtered",))
            self.left_out.update(reasons)
            if not reasons:
                kept.append(item)
        return Dossier(dossier.post, tuple(kept), dossier.rejected if kept else ())

    def count(self, items: Iterable[Item]) -> None:
        """Note a record, and the texts in it."""
        self.rows += 1
        for item in items:
            if item.draft_id not in self.texts:
                self.texts[item.draft_id] = item.text_sha256
                self.models[item.model_name, item.model_sha256] += 1
                self.prompts[item.prompt_version] += 1
                self.formats.add(item.format_version)
                self.reviewers.update(item.reviewers)

    def finish(self, dossier: Dossier) -> None:
        """Note which texts of a dossier came to no record: there was nothing to compare them with."""
        self.left_out["no_pair"] += sum(item.draft_id not in self.texts for item in dossier.approved)


def manifest(
    kind: Kind, form: str, file_name: str, sha256: str, tally: Tally, filters: Filters, licence: str | None
) -> dict[str, Any]:
    """The manifest of a file, ready to be written as JSON. `left_out` may count a text under several reasons."""
    return {
        "manifest_version": MANIFEST_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": file_name,
        "sha256": sha256,
        "kind": kind,
        "format": form,
        "licence": licence,
        "consent": [PURPOSE],
        "counts": {"records": tally.rows, "texts": len(tally.texts), "approved": tally.approved},
        "left_out": {reason: count for reason, count in sorted(tally.left_out.items()) if count},
        "filters": {
            "since": filters.since.isoformat() if filters.since else None,
            "until": filters.until.isoformat() if filters.until else None,
            "reviewer": filters.reviewer,
            "model": filters.model,
            "min_edit": filters.min_edit,
        },
        "models": [
            {"name": name, "sha256": model, "texts": count} for (name, model), count in sorted(tally.models.items())
        ],
        "prompts": dict(sorted(tally.prompts.items())),
        "chain_formats": sorted(tally.formats),
        "reviewers": sorted(tally.reviewers),
    }
