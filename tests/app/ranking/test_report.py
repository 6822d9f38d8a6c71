"""The report and the CSV files: whole, escaped, and the same in both languages."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from string import Formatter

import pytest

from app.ranking.csv_files import figures_csv, rankings_csv
from app.ranking.figures import figures
from app.ranking.plot import LABEL, MARGIN, WIDTH, Row, interval_plot
from app.ranking.posts import read_posts
from app.ranking.report import document
from app.ranking.rounds import set_up
from app.web.words import en_ranking, zh_ranking

HOSTILE = "<img src=x onerror=1>&\"'"
FORMULA = "=HYPERLINK(1)"


def say(text: dict[str, str]):
    return lambda key, **values: text[key].format(**values)


@pytest.fixture
def told(store, posts_file, rank_all):
    author = store.person("主管")
    posts = read_posts(posts_file(5, (FORMULA, HOSTILE[:22])))
    made = set_up(
        store, author, HOSTILE, f"{HOSTILE}\n第二行", posts=posts, count=4, checks=1, models=(),
        annotators=("王敏", "李婷"), seed=7,
    )  # fmt: skip
    for item, system in store.ranking.missing(made.id):
        other = next(answer for answer in store.ranking.written(made.id)[1] if answer.item_id == item.id)
        store.ranking.add_answer(made.id, item.id, system.id, other.text, 1.25)
    chosen = store.ranking.open(made.id, author.id)
    for name in ("王敏", "李婷"):
        rank_all(chosen, store.person(name), lambda answers: [1 + (answer != min(answers)) for answer in answers])
    store.ranking.lock(chosen.id, author.id)
    return figures(store, chosen.id)


def test_the_keys_of_both_languages_are_the_same() -> None:
    assert list(zh_ranking.TEXT) == list(en_ranking.TEXT)
    for key, text in zh_ranking.TEXT.items():
        places = [{name for _, name, _, _ in Formatter().parse(each) if name} for each in (text, en_ranking.TEXT[key])]
        assert places[0] == places[1], key


class Reader(HTMLParser):
    """Collects the tags, what they fetch, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "line", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


@pytest.mark.parametrize(("text", "language"), [(zh_ranking.TEXT, "zh-CN"), (en_ranking.TEXT, "en")])
def test_the_report_stands_alone_and_reads_no_text_as_markup(told, text, language) -> None:
    page = document(told, say(text), language)
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.fetched == [] and "url(" not in page and "@import" not in page
    assert not {"img", "script", "link"} & set(reader.tags) and reader.tags.count("svg") == 2
    assert HOSTILE in reader.text and f"{HOSTILE}\n第二行" in reader.text
    # Sums of the table: Win@1, Win@2, ranks of two systems.
    foot = re.search("<tfoot>(.*)</tfoot>", page)
    assert re.findall("<td>([^<]*)</td>", foot[1])[1:] == ["100.0", "200.0", "3.00", "100.0"]
    for key in ("ranking_rule_ties", "ranking_rule_none", "ranking_rule_intervals"):
        assert text[key] in reader.text
    assert "王敏" not in page and "李婷" not in page


def test_the_plot_puts_values_where_they_belong() -> None:
    svg = interval_plot("甲", [Row("一", 50, 0, 100)], [0, 50, 100], 50)
    left, right = LABEL, WIDTH - MARGIN
    assert f'cx="{(left + right) / 2:.1f}"' in svg
    assert f'class="interval" x1="{left:.1f}" x2="{right:.1f}"' in svg


def lines(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_the_figures_as_csv_hold_what_the_figures_do(told) -> None:
    found = lines(figures_csv(told))
    win1 = [line for line in found if line["measure"] == "win_1" and not line["topic"]]
    assert sum(float(line["value"]) for line in win1) == pytest.approx(1)
    assert {line["system"] for line in win1} == {f"'{FORMULA}", HOSTILE[:22]}
    of_round = {line["measure"]: line["value"] for line in found if not line["system"]}
    assert (of_round["rankings"], of_round["posts"], of_round["people"]) == ("8", "4", "2")
    assert float(of_round["kendall_w"]) == 1


def test_every_ranking_as_csv_is_enough_to_work_out_the_figures(told) -> None:
    found = lines(rankings_csv(told))
    assert len(found) == 2 * 5 * 2 and {line["person"] for line in found} == {"1", "2"}
    assert sum(line["planted"] == "1" for line in found) == 2
    counted = [line for line in found if not line["check"]]
    for one in told.standings:
        own = [float(line["rank"]) for line in counted if line["system"].lstrip("'") == one.system.name]
        assert sum(own) / len(own) == pytest.approx(one.mean_rank.value)
    assert {line["position"] for line in found} == {"1", "2"}
