"""A locked round as CSV, for other programs: its figures, and every ranking. People stand by number, not by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np

from app.ranking.figures import Figures
from app.ranking.ranks import ranks

_FORMULA = tuple("=+-@\t\r＝＋－＠")


def figures_csv(told: Figures) -> bytes:
    """A line a figure. Shares are of 1; `low` and `high` end the 95 % interval.

    The topic is empty where all topics count, the system where the figure is of the round.
    """
    lines: list[tuple[object, ...]] = [("measure", "topic", "system", "value", "low", "high")]
    for one in told.standings:
        for measure, estimate in (("win_1", one.win1), ("win_2", one.win2), ("mean_rank", one.mean_rank)):
            lines.append((measure, "", one.system.name, estimate.value, estimate.low, estimate.high))
        lines.append(("bradley_terry", "", one.system.name, one.strength, "", ""))
    for topic in told.topics:
        for place, system in enumerate(told.results.systems):
            lines.append(("win_1", topic.topic, system.name, topic.win1[place], "", ""))
            lines.append(("mean_rank", topic.topic, system.name, topic.mean_rank[place], "", ""))
    of_round = {
        "rankings": told.rankings,
        "posts": told.posts,
        "people": told.people,
        "none_fits": told.none_fits,
        "kendall_w": told.kendall_w,
        "krippendorff_alpha": told.alpha,
        "position_p": told.position.p,
        **{f"first_at_position_{place}": share for place, share in enumerate(told.position.shares, start=1)},
    }
    lines += [(measure, "", "", "" if value is None else value, "", "") for measure, value in of_round.items()]
    return _written(lines)


def rankings_csv(told: Figures) -> bytes:
    """A line an answer that a person ranked, checks of attention included: enough to work out every figure anew."""
    results = told.results
    names = {system.id: system.name for system in results.systems}
    items = {item.id: item for item in results.items}
    number = {person.id: place for place, person in enumerate(results.annotators, start=1)}
    lines: list[tuple[object, ...]] = [
        ("person", "item", "topic", "check", "system", "planted", "position", "place", "rank", "none_fits", "seconds")
    ]
    for ranked in results.rankings:
        item = items[ranked.item_id]
        shared = ranks(np.array([ranked.places]))[0]
        for position, system_id in enumerate(ranked.shown):
            lines.append(
                (
                    number[ranked.person_id],
                    item.id,
                    item.topic,
                    item.check or "",
                    names[system_id],
                    int(system_id == item.planted_system_id),
                    position + 1,
                    ranked.places[position],
                    float(shared[position]),
                    int(ranked.none_fits),
                    ranked.seconds,
                )
            )
    return _written(lines)


def _written(lines: Iterable[tuple[object, ...]]) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets want it."""
    text = io.StringIO()
    csv.writer(text).writerows([_plain(cell) for cell in line] for line in lines)
    return text.getvalue().encode("utf-8-sig")


def _plain(cell: object) -> object:
    """A spreadsheet would work out a name that looks like a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
