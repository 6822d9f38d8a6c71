"""Chains by a teacher, asked over real HTTP on this machine: what is sent, kept, paid, and what survives a kill."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.chain import ANSWER_TAG, CHAIN_TAG, LAYERS, Response, parse, render
from app.importing import Imported, import_chains
from storage.store import Store
from training.__main__ import VERBS
from training.data.build import DataError
from training.data.records import Record, to_line
from training.ledger import Ledger, Stopped
from training.pairs import Pair
from training.recipe import Recipe, RecipeError, SynthesizeRecipe
from training.synthesize import AUTHOR_CHARS, MAX_REFUSALS, asked_pairs, synthesize
from training.teacher import SHORTEST, TASK, Rejected, checked, on_this_machine

KEY = "sk-nobody-may-read-this"
ANSWER = "那一站路你一个人坐了很久，司机没有催，你也没有催自己。" * 9
SAID = (
    "我在末班车上坐过了站",
    "我把雨伞忘在了窗台上",
    "我对着空碗数完了米粒",
    "我给旧号码又拨了一遍",
    "我听见楼上挪了椅子",
)
RECORDS = [
    Record(
        "坐过站了", f"{said}，心里发空，不知道跟谁说才好。", "loneliness", "", (ANSWER,), "smilechat", "CC0-1.0", said
    )
    for said in SAID
]
PAIR = Pair("g", "loneliness", "坐过站了", RECORDS[0].description, ANSWER)
WORDS = (
    "写信人提到“{said}”，里面有疲惫，也有说不清的空落；事情很小，可它发生在没有旁人的时刻，所以格外显眼，像一天的收尾。",
    "也许近来缺少可以随口说话的对象，于是小事也要独自消化；可能还觉得不值得为这种事麻烦别人，这一点只是猜测，要留有余地。",
    "多半不是来求方法的，而是盼着有谁看见这一刻，认真地接过去；没有说出口的，是想确认这样的情绪并不奇怪，也不算矫情。",
    "先陪着停在那一幕里，把被忽略的细节讲给对方听；再轻轻问起独处的时间有多长；不急着劝对方振作，也不下任何判断。",
)

Answer = tuple[int, object, dict[str, str]]
Script = Callable[[int, str], Answer]


def chain(said: str = SAID[0], answer: str = ANSWER, **layers: str) -> str:
    """What a good teacher writes; with `layers` it is spoilt."""
    written = {layer.tag: text.format(said=said) for layer, text in zip(LAYERS, WORDS, strict=True)}
    return render(Response(**{**written, **layers}, answer=answer)).partition(f"<{ANSWER_TAG}>")[0]


def replied(text: str, usage: tuple[int, int] | None = (1000, 500), finish: str = "stop") -> Answer:
    message = {"role": "assistant", "content": text, "reasoning_content": "先想一想"}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "t"}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    if usage:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return 200, body, {}


def good(number: int, message: str) -> Answer:
    return replied(chain(said_in(message)))


def refusal(status: int) -> Answer:
    return status, {"error": {"message": f"wrong: {KEY}"}}, {"retry-after-ms": "1"}


def said_in(message: str) -> str:
    return next(said for said in SAID if said in message)


class Teacher:
    """A server that speaks the protocol; `script(number, message)` gives its answer to each request, from 1."""

    def __init__(self, script: Script):
        self.messages: list[str] = []
        self.keys: set[str | None] = set()
        counting = threading.Lock()
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                message = body["messages"][-1]["content"]
                with counting:
                    teacher.messages.append(message)
                    teacher.keys.add(self.headers["authorization"])
                    number = len(teacher.messages)
                status, answer, headers = script(number, message)
                sent = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    for name, value in {**headers, "content-type": "application/json"}.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(sent)))
                    self.end_headers()
                    self.wfile.write(sent)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client did not wait, or was killed

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def teach() -> Iterator[Callable[[Script], Teacher]]:
    teachers: list[Teacher] = []

    def start(script: Script) -> Teacher:
        teachers.append(Teacher(script))
        return teachers[-1]

    yield start
    for teacher in teachers:
        teacher.close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return with_corpus(tmp_path / "run", RECORDS)


def with_corpus(run: Path, records: list[Record]) -> Path:
    (run / "corpus").mkdir(parents=True, exist_ok=True)
    (run / "corpus" / "train.jsonl").write_text("".join(map(to_line, records)), "utf-8")
    return run


def ask(run: Path, url: str, **settings: object) -> tuple[dict, list[dict]]:
    """Run the stage; returns its report and its chains."""
    plain = {"model": "house/teacher-1", "parallel": 1, "input_price": 2.0, "output_price": 4.0, "attempts": 2}
    recipe = Recipe("test", synthesize=SynthesizeRecipe(url=url, key_variable="TEACHER_KEY", **{**plain, **settings}))
    told: list[str] = []
    try:
        synthesize(recipe, run, told.append)
    finally:
        report = json.loads((run / "synthesize" / "report.json").read_text("utf-8"))
    assert len(told) == 1
    return report, [json.loads(line) for line in (run / "synthesize" / "chains.jsonl").read_text("utf-8").splitlines()]


# What is kept


def test_a_good_teacher_fills_the_review_queue(run, teach, tmp_path):
    report, chains = ask(run, teach(good).url)
    assert (report["posts"], report["kept"], report["left"], report["replies"]) == (5, 5, 0, 5)
    # 1000 tokens at 2 and 500 at 4 per million, five times.
    assert (report["input_tokens"], report["output_tokens"], report["cost"]) == (5000, 2500, 0.02)
    assert {line["description"] for line in chains} == {record.description for record in RECORDS}
    with closing(Store.open(tmp_path / "data")) as store:
        assert import_chains(store, run / "synthesize" / "chains.jsonl") == Imported(added=5, known=0)
        queue = store.reviewing.queue("to_review", store.person("审核").id)
        assert {store.draft(item.draft_id).author.name for item in queue} == {"teacher-1"}
        texts = [store.latest_revision(item.draft_id).response for item in queue]
    assert {text.answer for text in texts} == {ANSWER}
    assert all(any(said in text.L1 for said in SAID) for text in texts)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("好的，下面是思考：" + chain(), "malformed"),
        (chain().replace(f"</{CHAIN_TAG}>", ""), "malformed"),
        (chain().replace(WORDS[2], " "), "malformed"),
        ("", "malformed"),
        (chain() + f"<{ANSWER_TAG}>{ANSWER}加油。</{ANSWER_TAG}>", "answer_changed"),
        (chain(L3="想有人听见。" + "嗯" * (SHORTEST - 7)), "short"),
        (chain(L2=PAIR.post * 2), "copied"),
        (chain(L4=ANSWER[:80]), "copied"),
        (chain(said="别的一句话"), "unquoted"),
    ],
)
def test_what_is_no_chain_for_the_post_is_rejected(reply, reason):
    with pytest.raises(Rejected) as rejection:
        checked(reply, PAIR)
    assert rejection.value.reason == reason
    assert rejection.value.advice and not any(said in rejection.value.advice for said in SAID)


@pytest.mark.parametrize("before", ["", "<think>也许是孤独？\n</think>\n\n", f"<{CHAIN_TAG}> 先打草稿 </think>"])
@pytest.mark.parametrize("after", ["", f"\n<{ANSWER_TAG}>{ANSWER}</{ANSWER_TAG}>"])
def test_a_chain_is_kept_without_the_thinking_before_it_and_with_the_human_answer(before, after):
    assert checked(before + chain() + after, PAIR) == parse(chain() + f"<{ANSWER_TAG}>{ANSWER}</{ANSWER_TAG}>")


def test_the_task_shows_the_very_format_that_is_read():
    block = TASK[TASK.index(f"<{CHAIN_TAG}>") : TASK.index(f"</{CHAIN_TAG}>")] + f"</{CHAIN_TAG}>"
    shown = parse(block + f"<{ANSWER_TAG}>回信</{ANSWER_TAG}>").parts()
    assert [shown[layer.tag] for layer in LAYERS] == [f"{layer.zh}：{layer.zh_brief}" for layer in LAYERS]


# Asking again


def test_a_rejected_reply_is_asked_for_again_with_the_reason(run, teach):
    teacher = teach(lambda number, message: replied("不行") if number == 1 else good(number, message))
    report, chains = ask(run, teacher.url, posts=1)
    assert len(chains) == 1 and report["rejected"] == {"malformed": 1} and report["cost"] == 0.008
    first, second = teacher.messages
    assert second.startswith(first) and "没有照格式写" in second[len(first) :]


def test_a_post_is_given_up_after_the_last_attempt_and_the_next_one_goes_on(run, teach):
    lost: list[str] = []

    def script(number: int, message: str) -> Answer:
        lost.append(said_in(message))
        spoilt = said_in(message) == lost[0]
        return replied(chain(said_in(message)), finish="length") if spoilt else good(number, message)

    teacher = teach(script)
    report, chains = ask(run, teacher.url, posts=3)
    assert (report["kept"], report["given_up"], report["left"]) == (2, {"cut_off": 1}, 0)
    assert len(teacher.messages) == 4 and lost[0] not in json.dumps(chains, ensure_ascii=False)
    # Given up is finished: nothing is asked, nothing is paid.
    again, _ = ask(run, teacher.url, posts=3)
    assert again == report and len(teacher.messages) == 4


@pytest.mark.parametrize("status", [429, 500])
def test_a_busy_server_is_asked_again(run, teach, status):
    teacher = teach(lambda number, message: refusal(status) if number < 3 else good(number, message))
    report, _ = ask(run, teacher.url, posts=1)
    assert (report["kept"], report["replies"], len(teacher.messages)) == (1, 1, 3)


def test_a_server_that_does_not_answer_in_time_is_asked_again(run, teach):
    closed = threading.Event()

    def script(number: int, message: str) -> Answer:
        if number == 1:
            closed.wait(10)
        return good(number, message)

    teacher = teach(script)
    report, _ = ask(run, teacher.url, posts=1, timeout_s=0.5)
    closed.set()
    assert report["kept"] == 1 and len(teacher.messages) == 2


@pytest.mark.parametrize(("status", "advice"), [(401, "check the key"), (404, "synthesize.model"), (403, "allowed")])
def test_a_server_that_will_not_have_us_stops_the_run_and_what_came_before_is_kept(run, teach, status, advice):
    teacher = teach(lambda number, message: good(number, message) if number == 1 else refusal(status))
    with pytest.raises(ConnectionError, match=advice) as stop:
        ask(run, teacher.url)
    assert len(teacher.messages) == 2 and str(status) in str(stop.value) and KEY not in str(stop.value)
    report = json.loads((run / "synthesize" / "report.json").read_text("utf-8"))
    assert (report["kept"], report["left"]) == (1, 4)


def test_a_reply_without_content_stops_the_run(run, teach):
    with pytest.raises(ConnectionError, match="sent no reply"):
        ask(run, teach(lambda number, message: (200, {"error": {"code": 502}}, {})).url)


def test_a_post_that_a_filter_refuses_is_left_out(run, teach):
    teacher = teach(lambda number, message: refusal(400) if number == 1 else good(number, message))
    report, chains = ask(run, teacher.url)
    assert (report["kept"], report["refused"], report["left"], len(chains)) == (4, 1, 0, 4)


def test_a_server_that_refuses_every_post_stops_the_run(tmp_path, teach):
    many = [dataclasses.replace(RECORDS[0], group=str(number)) for number in range(MAX_REFUSALS + 2)]
    teacher = teach(lambda number, message: refusal(400))
    with pytest.raises(ConnectionError, match="refuses every request"):
        ask(with_corpus(tmp_path, [dataclasses.replace(r, title=r.group) for r in many]), teacher.url)
    assert len(teacher.messages) == MAX_REFUSALS


# Cost


@pytest.mark.parametrize("parallel", [1, 4])
def test_no_request_is_sent_that_could_cost_more_than_is_left(run, teach, parallel):
    # A request may take 1000 tokens, 0.001, and takes 400: after three 0.0012 are spent, and 0.0007 are left.
    teacher = teach(lambda number, message: replied(chain(said_in(message)), (9000, 400)))
    cost = {"input_price": 0.0, "output_price": 1.0, "max_tokens": 1000}
    report, _ = ask(run, teacher.url, parallel=parallel, max_cost=0.0019, **cost)
    assert (len(teacher.messages), report["cost"], report["kept"], report["left"]) == (3, 0.0012, 3, 2)
    # With more allowed the run goes on where it stopped.
    report, _ = ask(run, teacher.url, parallel=parallel, max_cost=1.0, **cost)
    assert (len(teacher.messages), report["cost"], report["kept"]) == (5, 0.002, 5)


def test_a_reply_without_a_count_costs_what_it_could_have_cost(run, teach):
    teacher = teach(lambda number, message: replied(chain(said_in(message)), usage=None))
    report, _ = ask(run, teacher.url, posts=1, max_tokens=1000)
    assert report["output_tokens"] == 1000 and report["input_tokens"] > len(teacher.messages[0].encode())


@pytest.mark.parametrize("name", ["posts", "attempts", "parallel", "max_tokens"])
def test_a_number_of_nothing_is_refused(name):
    with pytest.raises(RecipeError, match=f"synthesize.{name} is 0; set it to 1 or more"):
        SynthesizeRecipe(**{name: 0})


@pytest.mark.parametrize("wrong", [{"input_price": None}, {"output_price": None}, {"output_price": -1.0}])
def test_without_a_price_nothing_is_sent(run, wrong):
    settings = dataclasses.replace(SynthesizeRecipe(input_price=1.0, output_price=1.0), **wrong)
    with pytest.raises(RecipeError, match="cost cannot be capped"):
        synthesize(Recipe("test", synthesize=settings), run, [].append)


# A kill


def test_a_killed_run_goes_on_without_paying_twice(run, teach, tmp_path):
    third, released = threading.Event(), threading.Event()

    def script(number: int, message: str) -> Answer:
        if number == 3:
            third.set()
            released.wait(60)
        return good(number, message)

    teacher = teach(script)
    (tmp_path / "r.yaml").write_text(
        f"synthesize: {{url: '{teacher.url}', model: house/teacher-1, parallel: 1, input_price: 2, output_price: 4}}"
    )
    command = [sys.executable, "-m", "training", "synthesize", tmp_path / "r.yaml", "--data", tmp_path, "--run", run]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            while not third.wait(0.2):
                assert process.poll() is None, process.stderr.read()
        finally:
            process.kill()
            process.communicate()
            released.set()
    with (run / "synthesize" / "replies.jsonl").open("a") as ledger:
        ledger.write('{"id": "cut in the mid')
    report, chains = ask(run, teacher.url)
    assert (report["kept"], report["cost"], len(chains)) == (5, 0.02, 5)
    # Two were answered before the kill, the third was under way; each other post is asked about once.
    asked = [said_in(message) for message in teacher.messages]
    assert len(asked) == 6 and asked[2] == asked[3] and len(set(asked)) == 5
    # The half line is gone, and what was written after it can be read.
    assert ask(run, teacher.url)[0] == report and len(teacher.messages) == 6


def test_replies_of_another_teacher_are_not_mixed_in(run, teach):
    teacher = teach(good)
    ask(run, teacher.url, posts=1)
    with pytest.raises(RecipeError, match="holds replies of house/teacher-1, not of other; give another --run"):
        ask(run, teacher.url, model="other")


def test_a_ledger_waits_for_what_is_under_way_and_lets_nothing_begin_once_stopped(tmp_path):
    ledger = Ledger(tmp_path / "replies.jsonl", SynthesizeRecipe(max_cost=1.0))
    ledger.reserve(0.7)
    begun = threading.Event()
    waiting = threading.Thread(target=lambda: (ledger.reserve(0.7), begun.set()), daemon=True)
    waiting.start()
    assert not begun.wait(0.1)
    ledger.release(0.7, None)
    waiting.join(10)
    assert begun.is_set()
    ledger.stop()
    with pytest.raises(Stopped):
        ledger.reserve(0.0)


# What leaves this machine


def test_only_posts_of_public_sets_are_sent(tmp_path):
    private = [dataclasses.replace(RECORDS[0], source=source, group=source) for source in ("own", "desk", "psyqa")]
    run = with_corpus(tmp_path, [*private, *RECORDS[1:]])
    assert {pair.group for pair in asked_pairs(run, 99, seed=1)} == set(SAID[1:])
    with pytest.raises(DataError, match="no other may be sent"):
        asked_pairs(with_corpus(tmp_path, private), 99, seed=1)


def test_a_larger_number_begins_with_the_posts_of_a_smaller_one(run):
    five = asked_pairs(run, 5, seed=1)
    assert len({pair.group for pair in five}) == 5
    assert asked_pairs(run, 2, seed=1) == five[:2] != asked_pairs(run, 5, seed=2)[:2]


@pytest.mark.parametrize(
    "url",
    [
        "http://teacher.example/v1",
        "http://127.0.0.1.teacher.example/v1",
        "http://192.168.1.2/v1",
        "http://0.0.0.0/v1",
        "ftp://127.0.0.1/v1",
        "https://name:word@teacher.example/v1",
        "http://127.0.0.1@teacher.example/v1",
        "teacher.example/v1",
        "https://",
    ],
)
def test_an_endpoint_that_could_be_overheard_is_refused(url):
    with pytest.raises(RecipeError, match="synthesize.url"):
        on_this_machine(url)


@pytest.mark.parametrize(
    ("url", "here"),
    [("https://teacher.example/v1", False), ("http://localhost:1/v1", True), ("http://[::1]:8000/v1", True)],
)
def test_https_elsewhere_and_anything_here_may_be_asked(url, here):
    assert on_this_machine(url) is here


def test_without_a_key_nothing_is_sent_elsewhere(run, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    settings = SynthesizeRecipe("https://teacher.example/v1", key_variable="TEACHER_KEY", input_price=1, output_price=1)
    with pytest.raises(RecipeError, match="TEACHER_KEY is not set"):
        synthesize(Recipe("test", synthesize=settings), run, [].append)


def test_the_key_goes_to_the_endpoint_and_into_no_file(run, teach, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    teacher = teach(good)
    ask(run, teacher.url)
    assert teacher.keys == {f"Bearer {KEY}"}
    assert not [path for path in run.rglob("*") if path.is_file() and KEY in path.read_text("utf-8")]


def test_a_redirect_is_not_followed(run, teach):
    elsewhere = teach(good)
    teacher = teach(lambda number, message: (307, {}, {"location": f"{elsewhere.url}/chat/completions"}))
    with pytest.raises(ConnectionError, match="answered 307"):
        ask(run, teacher.url)
    assert not elsewhere.messages


def test_a_proxy_does_not_see_what_stays_here(run, teach, monkeypatch):
    proxy = teach(good)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    report, _ = ask(run, teach(good).url)
    assert report["kept"] == 5 and not proxy.messages


def test_the_pipeline_sends_nothing():
    assert "synthesize" not in VERBS


def test_the_name_of_a_teacher_is_one_the_desk_takes(run, teach, tmp_path):
    _, chains = ask(run, teach(good).url, posts=1, model="house/" + "x" * 60)
    assert chains[0]["author"] == "x" * AUTHOR_CHARS
    with closing(Store.open(tmp_path / "data")) as store:
        assert import_chains(store, run / "synthesize" / "chains.jsonl").added == 1
