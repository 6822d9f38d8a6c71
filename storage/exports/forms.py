"""The records of each kind of export, as the trainers of TRL and sentence-transformers take them.

sft      {messages}: prompt and approved reply.
dpo      {prompt, chosen, rejected}: the approved reply above the model's draft that a person changed into it.
kto      {prompt, completion, label}: an approved reply is true; a draft of the model that a person replaced, and a text
         that a reviewer rejected, is false.
reward   {post, answer, negative}: an approved answer, and one to the same post that was replaced or rejected. No role
         prefixes: those are the training's.
ranking  {query, docs, labels}: answers to one post, best first; 2 approved, 1 the model's draft that was changed into
         an approved one, 0 rejected by a reviewer.

Nothing is said of candidates that nobody chose: that is no judgement on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from diff_match_patch import diff_match_patch

from app.chain import Response, messages, neutral, post_text, render
from storage.curation_records import Dossier, Item

Kind = Literal["sft", "dpo", "kto", "reward", "ranking"]

Form = Literal["jsonl", "parquet", "llama-factory"]
"""Of the file. `llama-factory` is JSON lines as LLaMA-Factory reads them, and an entry in its dataset_info.json."""

Record = dict[str, Any]

Made = Iterator[tuple[Record, tuple[Item, ...]]]
"""Records, each with the approved texts in it."""

APPROVED, REPLACED, REJECTED = 2, 1, 0
"""Labels of a ranking."""


def records(kind: Kind, dossier: Dossier, min_edit: int) -> Made:
    """What a dossier, of which every text may leave, becomes.

    Args:
        kind: of export.
        dossier: a post with its texts.
        min_edit: a draft counts as replaced if so many characters of it were changed; at least 1.
    """
    make: Callable[[Dossier, int], Made] = {
        "sft": _sft,
        "dpo": _dpo,
        "kto": _kto,
        "reward": _reward,
        "ranking": _ranking,
    }[kind]
    return make(dossier, min_edit)


def edit_chars(before: str, after: str) -> int:
    """How many characters were inserted, deleted or replaced between two texts, by their difference as it is shown."""
    differ = diff_match_patch()
    # Else the same two texts could differ by more on a slow machine.
    differ.Diff_Timeout = 0
    distance: int = differ.diff_levenshtein(differ.diff_main(before, after, False))
    return distance


def _replaced(item: Item, min_edit: int) -> Response | None:
    """The model's draft, if a person changed that much of it."""
    if item.draft is None or item.draft == item.response:
        return None
    if min_edit > 1 and edit_chars(render(item.draft), render(item.response)) < min_edit:
        return None
    return item.draft


def _post(dossier: Dossier) -> str:
    return post_text(dossier.post.title, dossier.post.description)


def _reply(response: Response) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": render(response)}]


def _sft(dossier: Dossier, min_edit: int) -> Made:
    for item in dossier.approved:
        yield {"messages": [*messages(_post(dossier)), *_reply(item.response)]}, (item,)


def _dpo(dossier: Dossier, min_edit: int) -> Made:
    for item in dossier.approved:
        replaced = _replaced(item, min_edit)
        if replaced is not None:
            prompt = messages(_post(dossier))
            yield {"prompt": prompt, "chosen": _reply(item.response), "rejected": _reply(replaced)}, (item,)


def _kto(dossier: Dossier, min_edit: int) -> Made:
    prompt = messages(_post(dossier))
    good = [item.response for item in dossier.approved]
    for item in dossier.approved:
        yield {"prompt": prompt, "completion": _reply(item.response), "label": True}, (item,)
    replaced = (_replaced(item, min_edit) for item in dossier.approved)
    for text in dict.fromkeys((*replaced, *dossier.rejected)):
        # What one person replaced may be what another approved: then it is no bad example.
        if text is not None and text not in good:
            yield {"prompt": prompt, "completion": _reply(text), "label": False}, ()


def _reward(dossier: Dossier, min_edit: int) -> Made:
    good = {item.response.answer for item in dossier.approved}
    for item in dossier.approved:
        replaced = _replaced(item, min_edit)
        texts = [*([replaced] if replaced else []), *dossier.rejected]
        for negative in dict.fromkeys(text.answer for text in texts):
            if negative not in good:
                yield {"post": neutral(_post(dossier)), "answer": item.response.answer, "negative": negative}, (item,)


def _ranking(dossier: Dossier, min_edit: int) -> Made:
    labels: dict[str, int] = {}
    replaced = [_replaced(item, min_edit) for item in dossier.approved]
    for texts, label in (
        ([item.response for item in dossier.approved], APPROVED),
        (replaced, REPLACED),
        (dossier.rejected, REJECTED),
    ):
        for text in texts:
            if text is not None:
                labels.setdefault(text.answer, label)
    if len(set(labels.values())) > 1:
        record = {"query": neutral(_post(dossier)), "docs": list(labels), "labels": list(labels.values())}
        yield record, dossier.approved
