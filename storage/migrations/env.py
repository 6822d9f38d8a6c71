"""Alembic's entry point. Runs inside the transaction that `storage.migrate` opened; never by an alembic.ini."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite can only alter a table by copying it; the copy loses its triggers, so such a migration makes them again.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
