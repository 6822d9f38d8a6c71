"""The pages as gradio serves them: nothing open beside what the gate names, nothing remembered or reported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from app.web.environment import harden
from app.web.paths import MOUNTS

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


def test_events_check_what_they_are_sent(desk_of) -> None:
    """A page can be bypassed: every event is an address. Nonsense gets a sentence or a refusal, never a stack."""
    desk = desk_of()
    config = json.loads(get(f"{desk.url}/zh/review/config")[1])
    saves = [event for event in config["dependencies"] if len(event["inputs"]) == 3]
    for event in saves:
        body = json.dumps({"data": ["", "1/1/x", ""], "fn_index": event["id"], "session_hash": "s"}).encode()
        headers = {"Content-Type": "application/json", "Origin": desk.url}
        request = urllib.request.Request(f"{desk.url}/zh/review/gradio_api/run/predict", body, headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
                assert "Traceback" not in reply.read().decode()
        except urllib.error.HTTPError as refused:
            assert "Traceback" not in refused.read().decode()
    assert saves and desk.store.recent_drafts(desk.store.person("x").id) == []
