"""Why the store refused. Shaped like `app.errors.DeskError`, which this package must not import."""

from __future__ import annotations

import errno
from pathlib import Path

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class StorageError(Exception):
    """`code` names the reason, `values` the numbers, states and folders in it; never text that a person typed.

    Codes: folder_read_only (folder), disk_full, database_locked, database_corrupt, newer_schema (found, known),
    database_foreign, database_unreachable (server), database_denied (server), database_not_utf8, database_url_invalid,
    database_driver_missing, backup_tool_missing (tool), backup_failed (tool, exit), already_running (url),
    text_not_storable, draft_unknown (draft_id), draft_incomplete (draft_id),
    stale_revision (base, latest), wrong_state (state, action), own_review, not_a_reviewer, lead_needed,
    already_reviewed, claimed (minutes), reason_missing, nothing_to_undo, undo_too_late (seconds), nothing_approved,
    export_mismatch (draft_id), export_in_data_folder (file), export_not_a_file (file),
    export_folder_unusable (folder), export_changed, nothing_leaves (approved), form_unknown (kind), parquet_missing,
    dataset_info_unreadable (file), post_unknown (post_id), case_held, case_running, round_unknown (round_id),
    round_state (state, needed), round_too_small (systems, posts, annotators), round_incomplete (missing),
    not_an_annotator, ranking_malformed, answer_empty.
    """

    def __init__(self, code: str, **values: object):
        super().__init__(code, values)
        self.code = code
        self.values = values


def cannot_write(folder: Path, error: OSError, code: str = "folder_read_only") -> StorageError:
    """Name what keeps a file from being written: disk_full, or `code` (folder)."""
    if error.errno in _DISK_FULL:
        return StorageError("disk_full")
    return StorageError(code, folder=str(folder))
