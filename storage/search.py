"""Full text search over posts and their drafts, by any stretch of text, whatever its case.

SQLite's trigram index needs no words, so it suits Chinese; but it is asked for three characters or more, and many
Chinese words have two. Those are looked up in the index's own list of trigrams, as what one of them begins with.

PostgreSQL's own trigrams find no such word either, and in some locales no Chinese at all. There the index is of pairs
of characters: a term of two is a pair, a longer one all of its pairs and then a look into the text.

The index holds one row a post, always made anew from the tables: the post, what models wrote for it, and each draft's
latest revision. Triggers cannot keep it: with trusted_schema off they may not write to a virtual table.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import closing

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.chain import SECTIONS
from storage.schema import Prose, drafts, posts, revisions

TRIGRAM = 3
LAST = "\U0010ffff"
"""Sorts behind every character that a text holds."""

# SQLite's: rowid and doc are the post's id.
_search = table("search", column("rowid"), column("text", Prose))
_trigrams = table("search_trigrams", column("term", Prose), column("doc"))
# PostgreSQL's, with the texts folded.
_folded = table("search", column("post_id"), column("text", Prose))


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
    # The line end at the very end lets the last two characters begin a trigram too.
    whole = "".join(f"{text}\n" for text in different)
    if connection.dialect.name == "postgresql":
        connection.execute(delete(_folded).where(_folded.c.post_id == post_id))
        connection.execute(insert(_folded).values(post_id=post_id, text=folded(whole)))
    else:
        connection.execute(delete(_search).where(_search.c.rowid == post_id))
        connection.execute(insert(_search).values(rowid=post_id, text=whole))


def remove(connection: Connection, post_id: int) -> None:
    """Take a post's row out, and with it every trace of its texts."""
    if connection.dialect.name == "postgresql":
        connection.execute(delete(_folded).where(_folded.c.post_id == post_id))
    else:
        connection.execute(delete(_search).where(_search.c.rowid == post_id))
        # SQLite's index only marks what is deleted. Written anew as one piece, it holds nothing of it.
        connection.exec_driver_sql("INSERT INTO search (search) VALUES ('optimize')")


def matches(words: str) -> list[ColumnElement[bool]]:
    """Conditions on a post: each term, as parted by white space, occurs somewhere in it or its drafts."""
    # Texts are stored in NFC.
    terms = unicodedata.normalize("NFC", words).split()
    return [_Either(_in_trigrams(term), _in_pairs(folded(term))) for term in terms]


def folded(text: str) -> str:
    """A text in which letters that differ by case alone are one, as SQLite's index has it: character for character."""
    whole = text.casefold()
    return whole if len(whole) == len(text) else "".join(map(_folded_character, text))


def _folded_character(character: str) -> str:
    # Some fold to several, which would make a stretch of another length: those stay as near as one can be.
    one = (each for each in (character.casefold(), character.lower()) if len(each) == 1)
    return next(one, character)


def _in_trigrams(term: str) -> ColumnElement[bool]:
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


def _in_pairs(term: str) -> ColumnElement[bool]:
    inside = func.strpos(_folded.c.text, literal(term, Prose)) > 0
    if len(term) == 1:
        # As above.
        return exists().where(_folded.c.post_id == posts.c.id, inside)
    pairs = literal(sorted({term[at : at + 2] for at in range(len(term) - 1)}), ARRAY(Prose))
    found = [func.search_pairs(_folded.c.text, type_=ARRAY(Prose)).op("@>")(pairs)]
    return posts.c.id.in_(select(_folded.c.post_id).where(*found, *([inside] if len(term) > 2 else [])))


class _Either(FunctionElement[bool]):
    """One condition as SQLite and as PostgreSQL is asked it."""

    type = Boolean()
    inherit_cache = True


@compiles(_Either, "sqlite")
def _as_sqlite(element: _Either, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses.clauses[0], **options)


@compiles(_Either, "postgresql")
def _as_postgresql(element: _Either, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses.clauses[1], **options)
