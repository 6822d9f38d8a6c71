"""A locked round as one HTML file, which prints and needs nothing else.

Words come from the page's language; every text of people is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from app.ranking.figures import Estimate, Figures
from app.ranking.plot import Row, interval_plot

Say = Callable[..., str]
"""The sentence of a key, with its values filled in."""

STYLE = """
body { max-width: 720px; margin: 32px auto; padding: 0 24px; font: 15px/1.7 system-ui, "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; color: #2b2a27; background: #fff; }
h1 { font-size: 22px; } h2 { font-size: 17px; margin: 28px 0 8px; }
table { border-collapse: collapse; width: 100%; } th, td { padding: 5px 10px; border-bottom: 1px solid #ddd5c6;
  text-align: right; font-variant-numeric: tabular-nums; } th:first-child, td:first-child { text-align: left; }
tfoot td { color: #6b665c; } .guidelines { white-space: pre-wrap; } .quiet { color: #6b665c; font-size: 13px; }
svg { max-width: 100%; height: auto; font-size: 12px; } svg text { fill: #2b2a27; }
.grid { stroke: #e6dfd2; } .reference { stroke: #6b665c; stroke-dasharray: 4 4; }
.interval { stroke: #2f6657; stroke-width: 2; } circle { fill: #2f6657; }
@media print { body { margin: 0; max-width: none; } h2, table, svg { break-inside: avoid; } }
"""


def document(told: Figures, say: Say, language: str) -> str:
    """The report; `language` is the HTML name of that of `say`."""
    title = escape(f"{say('ranking_report')} · {told.results.round.name}")
    parts = [
        _paragraph(say("ranking_of", rankings=told.rankings, posts=told.posts, people=told.people)),
        _paragraph(say("ranking_none_fit_count", count=told.none_fits, rankings=told.rankings)),
        _standings(told, say),
        _plots(told, say),
        _trust(told, say),
        _topics(told, say),
        _attention(told, say),
        _terms(told, say),
    ]
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>"
    )


def _standings(told: Figures, say: Say) -> str:
    heads = [say(f"ranking_{key}") for key in ("system", "win1", "win2", "mean_rank", "strength")]
    rows = [
        [one.system.name, _percent(one.win1), _percent(one.win2), _rank(one.mean_rank), f"{100 * one.strength:.1f}"]
        for one in told.standings
    ]
    sums = [
        say("ranking_sum"),
        f"{100 * sum(one.win1.value for one in told.standings):.1f}",
        f"{100 * sum(one.win2.value for one in told.standings):.1f}",
        f"{sum(one.mean_rank.value for one in told.standings):.2f}",
        f"{100 * sum(one.strength for one in told.standings):.1f}",
    ]
    return _heading(say("ranking_table")) + _table(heads, rows, sums) + _quiet(say("ranking_reading"))


def _plots(told: Figures, say: Say) -> str:
    systems = len(told.standings)
    win1 = [Row(one.system.name, *_scaled(one.win1, 100)) for one in told.standings]
    rank = [Row(one.system.name, *_scaled(one.mean_rank, 1)) for one in told.standings]
    return (
        _heading(say("ranking_win1"))
        + interval_plot(say("ranking_win1"), win1, range(0, 101, 20), 100 / systems)
        + _heading(say("ranking_mean_rank"))
        + interval_plot(say("ranking_mean_rank"), rank, range(1, systems + 1), (systems + 1) / 2)
        + _quiet(say("ranking_plot_reading"))
    )


def _trust(told: Figures, say: Say) -> str:
    shares = [f"{100 * share:.1f}" for share in told.position.shares]
    places = [say("ranking_position", number=number) for number in range(1, len(shares) + 1)]
    key = "ranking_position_seen" if told.position.p < 0.05 else "ranking_position_unseen"
    return (
        _heading(say("ranking_agreement"))
        + _paragraph(say("ranking_w", w=_number(told.kendall_w), posts=told.kendall_posts))
        + _paragraph(say("ranking_alpha", alpha=_number(told.alpha)))
        + _heading(say("ranking_position_title"))
        + _table([say("ranking_shown_at"), *places], [[say("ranking_firsts"), *shares]])
        + _paragraph(say(key, p=f"{told.position.p:.3f}"))
    )


def _topics(told: Figures, say: Say) -> str:
    if len(told.topics) < 2:
        return ""
    heads = [say("ranking_topic"), say("ranking_rankings"), *(system.name for system in told.results.systems)]
    rows = [
        [
            topic.topic or say("ranking_no_topic"),
            str(topic.rankings),
            *(f"{100 * win:.1f} · {rank:.2f}" for win, rank in zip(topic.win1, topic.mean_rank, strict=True)),
        ]
        for topic in told.topics
    ]
    return _heading(say("ranking_topics")) + _table(heads, rows) + _quiet(say("ranking_topics_reading"))


def _attention(told: Figures, say: Say) -> str:
    if not told.attention:
        return ""
    number = {person.id: place for place, person in enumerate(told.results.annotators, start=1)}
    heads = [say("ranking_annotator"), say("ranking_seen"), say("ranking_missed")]
    rows = [
        [say("ranking_annotator_number", number=number[one.person.id]), str(one.seen), str(one.missed)]
        for one in told.attention
    ]
    return _heading(say("ranking_attention")) + _table(heads, rows) + _quiet(say("ranking_attention_reading"))


def _terms(told: Figures, say: Say) -> str:
    found = told.results.round
    facts = [
        *(say("ranking_rule_ties"), say("ranking_rule_none"), say("ranking_rule_intervals")),
        say("ranking_facts", seed=found.seed, seconds=f"{told.median_s:.0f}", day=f"{found.created_at:%Y-%m-%d}"),
    ]
    text = _heading(say("ranking_terms")) + "".join(_paragraph(fact) for fact in facts)
    if found.guidelines:
        text += _heading(say("ranking_guidelines")) + f'<p class="guidelines">{escape(found.guidelines)}</p>'
    return text


def _percent(estimate: Estimate) -> str:
    value, low, high = _scaled(estimate, 100)
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _rank(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _scaled(estimate: Estimate, factor: float) -> tuple[float, float, float]:
    return factor * estimate.value, factor * estimate.low, factor * estimate.high


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _quiet(text: str) -> str:
    return f'<p class="quiet">{escape(text)}</p>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], sums: Sequence[str] = ()) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    foot = f"<tfoot><tr>{''.join(f'<td>{escape(cell)}</td>' for cell in sums)}</tr></tfoot>" if sums else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table>"
