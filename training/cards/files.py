"""What a model card tells of the exported files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def conformance_table(checks: Mapping[str, Mapping[str, float]]) -> str:
    """What `training.conversion.conformance` found of each file."""
    columns = list(next(iter(checks.values())))
    lines = [
        "Each file against PyTorch, on synthetic texts: what the same tokens come to.",
        "",
        f"| file | {' | '.join(column.replace('_', ' ') for column in columns)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    lines += [f"| {name} | {' | '.join(str(row[column]) for column in columns)} |" for name, row in checks.items()]
    return "\n".join(lines)


def file_table(files: Mapping[str, Mapping[str, Any]]) -> str:
    """What each file is, whether it drafted readably, and where K-quants had to give way to larger types."""
    lines = ["| file | sha256 | tensors |", "|---|---|---|"]
    for name, file in files.items():
        tensors = ", ".join(f"{count} {kind}" for kind, count in sorted(file["tensor_types"].items()))
        lines.append(f"| {name} | `{file['sha256']}` | {tensors} |")
    told = [
        f"{name}: {file['rows_not_of_256']} matrices have rows that no block of 256 divides, so llama.cpp gave them a "
        "larger type than the file's name says."
        for name, file in files.items()
        if file["rows_not_of_256"] and "_K_" in name
    ]
    drafted = {name: file["draft"] for name, file in files.items() if "draft" in file}
    if drafted:
        readable = [name for name, draft in drafted.items() if draft["readable"]]
        other = [name for name in drafted if name not in readable]
        told.append(
            f"One draft each on a synthetic post, unforced: readable from {', '.join(readable) or 'none'}, "
            f"unreadable from {', '.join(other) or 'none'}."
        )
    return "\n".join([*lines, "", " ".join(told)] if told else lines)
