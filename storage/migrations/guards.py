"""Triggers, as migrations make them: rules that hold whoever writes to the database."""

from __future__ import annotations

from alembic import op


def refuse(name: str, event: str, table: str, message: str, when: str = "") -> None:
    """Make a trigger that fails an event on a table.

    Args:
        name: of the trigger.
        event: such as "INSERT", "DELETE" or "UPDATE OF state".
        table: on which.
        message: what it fails with.
        when: SQL over NEW and OLD; always, if there is none.
    """
    condition = f" WHEN {when}" if when else ""
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def append_only(*tables: str) -> None:
    """Keep tables from every UPDATE and DELETE."""
    for table in tables:
        for verb in ("UPDATE", "DELETE"):
            refuse(f"{table}_no_{verb.lower()}", verb, table, f"{table} is append-only")
