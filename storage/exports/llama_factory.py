"""The same records as LLaMA-Factory reads them: its "sharegpt" form, with the roles of chat messages."""

from __future__ import annotations

from typing import Any

from storage.exports.forms import Kind, Record

KINDS: tuple[Kind, ...] = ("sft", "dpo", "kto")
"""It trains its reward models on what dpo exports."""

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}
_COLUMNS: dict[Kind, dict[str, str]] = {
    "sft": {},
    "dpo": {"chosen": "chosen", "rejected": "rejected"},
    "kto": {"kto_tag": "label"},
}


def converted(kind: Kind, record: Record) -> Record:
    """A record of `forms` in its form: one message, where TRL takes a list of one."""
    match kind:
        case "dpo":
            [chosen], [rejected] = record["chosen"], record["rejected"]
            return {"messages": record["prompt"], "chosen": chosen, "rejected": rejected}
        case "kto":
            return {"messages": [*record["prompt"], *record["completion"]], "label": record["label"]}
        case _:
            return record


def entry(kind: Kind, file_name: str) -> dict[str, Any]:
    """What `dataset_info.json` has to say of the file."""
    return {
        "file_name": file_name,
        "formatting": "sharegpt",
        **({"ranking": True} if kind == "dpo" else {}),
        "columns": {"messages": "messages", **_COLUMNS[kind]},
        "tags": _TAGS,
    }
