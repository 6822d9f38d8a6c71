"""The verb that writes what people have approved as data files. Imports stay inside, as in `app.__main__`."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from storage.exports.forms import Form, Kind

DAY = ["%Y-%m-%d"]


def export(
    context: typer.Context,
    kind: Annotated[
        Kind,
        typer.Argument(
            help="sft: approved replies. dpo: each above the draft it was made of. kto: approved, replaced and rejected"
            " ones with their label. reward: answers, each with a worse one. ranking: answers to a post, best first."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write, with a manifest beside it; both or neither.")],
    form: Annotated[Form, typer.Option("--format", help="Of the file.")] = "jsonl",
    licence: Annotated[str | None, typer.Option(help="Under which you give it on; kept in the manifest.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=DAY, help="Texts saved on this day or later.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAY, help="Texts saved before this day.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="The name of who approved them.")] = None,
    model: Annotated[str | None, typer.Option(help="Beginning of the sha256 of the model that drafted.")] = None,
    min_edit: Annotated[int, typer.Option(min=1, help="Pairs in which so many characters were changed.")] = 1,
) -> None:
    """Write what may leave as training data: approved, consented to, found to name no one, and signed if urgent."""
    from app.curating import export as write
    from app.curating import reviewer_named
    from app.web.words import WORDS
    from storage.exports.manifest import Filters
    from storage.store import Store

    settings, words = context.obj, WORDS[context.obj.language]
    with closing(Store.open(settings.data_dir, settings.database, beside_desk=True)) as store:
        filters = Filters(
            since=since.astimezone() if since else None,
            until=until.astimezone() if until else None,
            reviewer=reviewer_named(store, reviewer) if reviewer else None,
            model=model,
            min_edit=min_edit,
        )
        report = write(store, kind, out, form=form, filters=filters, licence=licence)
    typer.echo(words("exported", count=report.records, file=report.file), err=True)
    if report.left_out:
        typer.echo(words("left_out", count=report.approved - report.texts), err=True)
        for reason, count in report.left_out.items():
            typer.echo(words("left_out_line", count=count, reason=words(f"missing_{reason}")), err=True)
