"""Full text search over posts and their drafts, by any stretch of text.

SQLite's trigram index needs no words, so it suits Chinese; but it is asked for three characters or more, and many
Chinese words have two. Those are looked up in the index's own list of trigrams, as what one of them begins with.

The index holds one row a post, always made anew from the tables: the post, what models wrote for it, and each draft's
latest revision. Triggers cannot keep it: with trusted_schema off they may not write to a virtual table.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import closing

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    column,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    table,
)

from app.chain import SECTIONS
from storage.schema import Prose, drafts, posts, revisions

TRIGRAM = 3
LAST = "\U0010ffff"
"""Sorts behind every character that a text holds."""

# rowid and doc are the post's id.
_search = table("search", column("rowid"), column("text", Prose))
_trigrams = table("search_trigrams", column("term", Prose), column("doc"))


def supported() -> bool:
    """Whether this Python's SQLite can make the index."""
    with closing(sqlite3.connect(":memory:")) as memory:
        try:
            memory.execute("CREATE VIRTUAL TABLE search USING fts5(text, tokenize = 'trigram')")
        except sqlite3.OperationalError:  # no such module, or no such tokenizer
            return False
    return True


def index(connection: Connection, post_id: int) -> None:
    """Bring a post's row up to date; belongs to every change of a text that is not just being written."""
    over = and_(drafts.c.post_id == post_id, drafts.c.status != "running")
    latest = and_(drafts.c.id == revisions.c.draft_id, drafts.c.version == revisions.c.version)
    texts = [
        *connection.execute(select(posts.c.title, posts.c.description).where(posts.c.id == post_id)),
        *connection.execute(select(*(drafts.c[name] for name in SECTIONS)).where(over)),
        *connection.execute(select(*(revisions.c[name] for name in SECTIONS)).join(drafts, latest).where(over)),
    ]
    # A redraft shares what it kept, an edit most of what the model wrote.
    different = dict.fromkeys(text for row in texts for text in row if text)
    connection.execute(delete(_search).where(_search.c.rowid == post_id))
    # The line end at the very end lets the last two characters begin a trigram too.
    connection.execute(insert(_search).values(rowid=post_id, text="".join(f"{text}\n" for text in different)))


def matches(words: str) -> list[ColumnElement[bool]]:
    """Conditions on a post: each term, as parted by white space, occurs somewhere in it or its drafts."""
    # Texts are stored in NFC.
    return [_contains(term) for term in unicodedata.normalize("NFC", words).split()]


def _contains(term: str) -> ColumnElement[bool]:
    if len(term) >= TRIGRAM:
        # As an FTS5 string, in which nothing has a meaning but the quote.
        quoted = '"' + term.replace('"', '""') + '"'
        return posts.c.id.in_(select(_search.c.rowid).where(_search.c.text.op("MATCH")(literal(quoted, Prose))))
    if len(term) == TRIGRAM - 1:
        # Trigrams are kept in lower case.
        first, behind = literal(term.lower(), Prose), literal(term.lower() + LAST, Prose)
        return posts.c.id.in_(select(_trigrams.c.doc).where(_trigrams.c.term >= first, _trigrams.c.term < behind))
    # So much begins with one character that reading the texts, newest first, finds a page of cases sooner.
    spelled = (func.instr(_search.c.text, literal(case, Prose)) > 0 for case in {term.lower(), term.upper()})
    return exists().where(_search.c.rowid == posts.c.id, or_(*spelled))
