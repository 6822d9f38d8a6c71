"""Triggers, as migrations make them: rules that hold whoever writes to the database.

Conditions and statements are SQL that SQLite and PostgreSQL both know, over the rows NEW and OLD. What is NULL is no
condition fulfilled. In PostgreSQL each trigger has a function of its own name.
"""

from __future__ import annotations

from alembic import op


def refuse(name: str, event: str, table: str, message: str, when: str = "") -> None:
    """Make a trigger that fails an event on a table, as the breach of a constraint.

    Args:
        name: of the trigger.
        event: such as "INSERT", "DELETE" or "UPDATE OF state".
        table: on which.
        message: what it fails with; no quotes in it.
        when: SQL over NEW and OLD; always, if there is none.
    """
    if _postgres():
        # What a BEFORE trigger returns is what happens to the row.
        _function(name, _failure(message), when, returns="OLD" if event == "DELETE" else "NEW")
    _trigger(name, f"BEFORE {event}", table, _failure(message), when)


def follow(name: str, event: str, table: str, statement: str, when: str = "") -> None:
    """Make a trigger that executes a statement after an event on a table.

    Args:
        name: of the trigger.
        event: as for `refuse`.
        table: on which.
        statement: SQL over NEW and OLD, without its semicolon.
        when: as for `refuse`.
    """
    if _postgres():
        _function(name, f"{statement};", when, returns="NULL")
    _trigger(name, f"AFTER {event}", table, f"{statement};", when)


def append_only(*tables: str) -> None:
    """Keep tables from every UPDATE and DELETE."""
    for table in tables:
        for verb in ("UPDATE", "DELETE"):
            refuse(f"{table}_no_{verb.lower()}", verb, table, f"{table} is append-only")
        if _postgres():
            # Would empty a table past the triggers of its rows.
            name = f"{table}_no_truncate"
            _function(name, _failure(f"{table} is append-only"), "", returns="NULL")
            op.execute(f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {name}()")


def lift(name: str, table: str) -> None:
    """Take a trigger away, so that it can be made anew."""
    if _postgres():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    else:
        op.execute(f"DROP TRIGGER {name}")


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _failure(message: str) -> str:
    if _postgres():
        return f"RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = '{message}';"
    return f"SELECT RAISE(ABORT, '{message}');"


def _function(name: str, body: str, when: str, returns: str) -> None:
    guarded = f"IF {when} THEN {body} END IF;" if when else body
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {guarded} RETURN {returns}; END $$"
    )


def _trigger(name: str, event: str, table: str, body: str, when: str) -> None:
    if _postgres():
        op.execute(f"CREATE TRIGGER {name} {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    else:
        condition = f" WHEN {when}" if when else ""
        op.execute(f"CREATE TRIGGER {name} {event} ON {table}{condition} BEGIN {body} END")
