"""The pages as gradio serves them: nothing open beside what the gate names, nothing remembered or reported."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute

from app.web.environment import harden
from app.web.gate import Gate
from app.web.paths import FILES, MOUNTS
from app.web.words import WORDS

# Gradio calls what its pandas deprecates, on every event.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
HOSTILE = {
    "GRADIO_SHARE": "True",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_HISTORY_BUCKET": "someone/bucket",
    "GRADIO_MCP_SERVER": "True",
    "GRADIO_RUN_HISTORY": "True",
    "GRADIO_ROOT_PATH": "/elsewhere",
    "gradio_analytics_enabled": "True",
}


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers or {})) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_hostile_gradio_settings_from_outside_are_dropped() -> None:
    environ = {**HOSTILE, "PATH": "/bin"}
    harden(environ)
    assert environ["PATH"] == "/bin"
    assert [name for name in HOSTILE if environ.get(name) == HOSTILE[name]] == []
    assert environ["GRADIO_ANALYTICS_ENABLED"] == environ["GRADIO_RUN_HISTORY"] == "False"
    assert environ["HF_HUB_OFFLINE"] == "1"


def test_importing_the_page_hardens_the_environment_and_loads_no_training_library() -> None:
    script = (
        "import app.web.app, json, os, sys\n"
        "heavy = ['torch', 'transformers', 'trl', 'peft', 'sentence_transformers', 'training']\n"
        "print(json.dumps([[name for name in heavy if name in sys.modules],"
        " {name: os.environ[name] for name in os.environ if name.upper().startswith('GRADIO_')}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **HOSTILE}, capture_output=True, text=True, check=True
    )
    heavy, gradio = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert not set(gradio.values()) & {"True", "/", "0.0.0.0", "someone/bucket", "/elsewhere"}


@pytest.mark.parametrize("wanted", ["zh-CN,zh;q=0.9", "", "fr"])
def test_the_front_door_leads_to_chinese_first(desk_of, wanted: str) -> None:
    status, body = get(desk_of().url + "/", {"Accept-Language": wanted} if wanted else {})
    assert status == 200 and "/zh/draft" in body


def test_every_page_is_served_without_history_monitoring_api_or_strangers(desk_of) -> None:
    desk = desk_of()
    assert "/en/draft" in get(desk.url + "/", {"Accept-Language": "en-GB"})[1]
    for mount in MOUNTS:
        status, body = get(f"{desk.url}{mount}/config")
        config = json.loads(body)
        assert status == 200
        assert not config.get("run_history") and not config.get("enable_monitoring") and not config.get("mcp_server")
        assert config["analytics_enabled"] is False and config["footer_links"] == []
        assert {event["api_visibility"] for event in config["dependencies"]} <= {"private"}
        kinds = {component["type"] for component in config["components"]}
        # Components that would read text as markup, fetch files, or keep text in the browser.
        assert not kinds & {"html", "chatbot", "dataframe", "file", "image", "uploadbutton", "downloadbutton"}
        page = get(f"{desk.url}{mount}/")[1]
        fetched = re.findall(r'(?:src|href)="(https?://[^"]+)"', page)
        assert [url for url in fetched if not url.startswith(desk.url)] == []
        for route in ("/monitoring/summary", "/gradio_api/runs", "/gradio_api/info", "/gradio_api/file=/etc/passwd"):
            assert get(desk.url + mount + route)[0] == 404


# Everything that one gradio page answers, as this version of it has it, and that the gate lets through.
PASSES = {
    "GET /", "GET /config", "GET /theme.css", "GET /assets/{path:path}", "GET /static/{path:path}",
    "GET /svelte/{path:path}", "GET /gradio_api/startup-events", "GET /gradio_api/queue/data",
    "GET /gradio_api/heartbeat/{session_hash}", "POST /gradio_api/queue/join", "POST /gradio_api/run/{api_name}",
    "POST /gradio_api/cancel", "POST /gradio_api/reset",
}  # fmt: skip


def test_of_all_that_gradio_answers_only_what_is_known_passes_the_gate() -> None:
    """Fails when another version of gradio brings an address that the gate would let through unseen."""

    async def mounted() -> FastAPI:  # in a running loop, as in build_app
        return gr.mount_gradio_app(FastAPI(), gr.Blocks(), path=MOUNTS[0])

    page = asyncio.run(mounted()).routes[-1]
    gate = Gate(page.app, MOUNTS, FILES)
    passed = set()
    for method, route in gradio_routes(page.app.routes):
        # The one event that a page may run by name is the one without a name.
        address = MOUNTS[0] + route.replace("{api_name}", "predict").replace(":path}", "}")
        scope = {
            "type": "http", "method": method, "path": re.sub(r"{\w+}", "x", address), "server": ("127.0.0.1", 7860),
            "headers": [(b"host", b"127.0.0.1:7860"), (b"sec-fetch-site", b"same-origin"), (b"content-length", b"2")],
        }  # fmt: skip
        if gate._refusal(scope) is None:
            passed.add(f"{method} {route.rstrip('/') or '/'}")
    assert passed == PASSES


def gradio_routes(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        for method in (getattr(route, "methods", None) or set()) - {"HEAD"}:
            yield method, route.path
        if getattr(route, "original_router", None) is not None:
            yield from gradio_routes(route.original_router.routes)


def call(desk, page: str, trigger: str, data: list[object]) -> str:
    """Send an event as a program would, past the page; the reply, be it a refusal."""
    config = json.loads(get(f"{desk.url}{page}/config")[1])
    ids = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    event = next(
        each for each in config["dependencies"] if trigger in [ids.get(target[0]) for target in each["targets"]]
    )
    body = json.dumps({"data": data, "fn_index": event["id"], "session_hash": "s"}).encode()
    headers = {"Content-Type": "application/json", "Origin": desk.url}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    where = "run/predict" if not event["queue"] else "queue/join"
    try:
        with opener.open(urllib.request.Request(f"{desk.url}{page}/gradio_api/{where}", body, headers)) as reply:
            said = reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.read().decode()
    return said if not event["queue"] else get(f"{desk.url}{page}/gradio_api/queue/data?session_hash=s")[1]


def test_what_looks_like_a_file_is_text_and_no_file_is_copied_or_fetched(desk_of) -> None:
    desk = desk_of()
    opened: list[str] = []
    hooked = True

    def hook(event: str, values: tuple[object, ...]) -> None:
        if hooked and event in ("open", "socket.connect", "shutil.copyfile"):
            opened.append(f"{event} {values[0] if event != 'socket.connect' else values[1]}")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        sys.addaudithook(hook)
        for path in ("/etc/hostname", f"http://{address}/x"):
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            assert "process_completed" in call(desk, "/zh/draft", "start", ["甲", "", "1", "", "", file])
            call(desk, "/zh/draft", "save", ["甲", file, file, file, file, file, file, file])
        hooked = False
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [line for line in opened if "hostname" in line or "/tmp/gradio" in line] == []
    assert "/etc/hostname" in desk.store.draft(1).post.description


def test_nothing_that_was_typed_is_printed(desk_of, capfd, caplog) -> None:
    desk = desk_of()
    canary = "CANARY"
    call(desk, "/zh/draft", "start", [canary, canary])
    call(desk, "/zh/draft", "save", [canary, canary])
    call(desk, "/zh/draft", "recent", [canary])
    call(desk, "/zh/review", "queue", [canary, canary])
    call(desk, "/zh/review", "approve", ["甲", f"{canary}/1/x", canary])
    call(desk, "/zh/review", "approve", approving(f"{canary}/1/x", canary))
    said = "".join(capfd.readouterr()) + caplog.text
    assert "Error in " in said and canary not in said


def approving(sheet: str, reason: str = "") -> list[object]:
    """What the page sends with a decision: who, on which text, from which list, and the form."""
    return ["甲", sheet, "to_review", "", "urgency", *[None] * 9, [], reason, "[]"]


@pytest.mark.parametrize("sent", ["", "x/y/z", "1/1", "99999999999999999999/1/x", "1/99999999999999999999/x", "١/1/x"])
def test_numbers_that_no_page_sends_are_answered_in_a_sentence(desk_of, sent: str) -> None:
    desk = desk_of()
    reply = json.loads(call(desk, "/zh/review", "approve", approving(sent)))
    assert WORDS["zh"]("lost") in json.dumps(reply, ensure_ascii=False)


def test_events_check_what_they_are_sent(desk_of) -> None:
    """A page can be bypassed: every event is an address. Nonsense gets a sentence or a refusal, never a stack."""
    desk = desk_of()
    config = json.loads(get(f"{desk.url}/zh/review/config")[1])
    saves = [event for event in config["dependencies"] if len(event["inputs"]) >= 2]
    for event in saves:
        nonsense = ["", "1/1/x", *[""] * (len(event["inputs"]) - 2)]
        body = json.dumps({"data": nonsense, "fn_index": event["id"], "session_hash": "s"}).encode()
        headers = {"Content-Type": "application/json", "Origin": desk.url}
        request = urllib.request.Request(f"{desk.url}/zh/review/gradio_api/run/predict", body, headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
                assert "Traceback" not in reply.read().decode()
        except urllib.error.HTTPError as refused:
            assert "Traceback" not in refused.read().decode()
    assert saves and desk.store.recent_drafts(desk.store.person("x").id) == []
