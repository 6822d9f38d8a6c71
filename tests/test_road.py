"""The whole road with the bundled models: the desk as a process, a real browser, a second person, the export."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from app import curating
from app.chain import SECTIONS, parse
from app.web.words import WORDS
from storage.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ZH = WORDS["zh"]
TITLE = "搬回老家照顾父亲，我是不是没有自己的生活了？"
POST = (
    "父亲中风以后，我辞了省城的工作，搬回县里照顾他。白天喂饭、翻身、陪他练走路，晚上他一咳嗽我就醒。"
    "姐姐在外地，每个月打钱回来，电话里总说辛苦你了，可是我听着心里很难受。我三十四岁，没有结婚，以前的同事都升职了。"
    "前天父亲因为我把粥煮糊了发脾气，我躲到楼道里哭了很久。我爱他，也恨这样的日子，想到这里又觉得自己很坏。"
    "我不知道该不该请护工，亲戚们说花那个钱不如自己来。我到底应该怎么办？"
)
EDIT = "写到这里，我想先陪你坐一会儿。"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[str]:
    """The desk as `launch.py` starts it, on a data folder of its own; yields its address."""
    command = [sys.executable, "-m", "app", "--data-dir", str(tmp_path / "data"), "--no-browser"]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("EMPATHY_DESK_")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**inherited, "PYTHONUTF8": "1"})
    assert process.stderr
    with process, process.stderr:
        said = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert address, said
        yield address[0]
        process.terminate()


def open_as(page: Page, address: str, name: str) -> None:
    page.goto(address)
    expect(page.locator("#model .ready")).to_be_visible(timeout=60_000)
    page.locator("#name input").fill(name)
    page.locator("#name input").press("Enter")


@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")
def test_from_a_pasted_post_to_a_line_of_training_data(desk: str, tmp_path: Path) -> None:
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(locale="zh-CN")
        page.on("request", lambda request: asked.append(request.url))
        open_as(page, desk, "王敏")
        page.locator("#box-title input, #box-title textarea").fill(TITLE)
        page.locator("#box-description textarea").fill(POST)
        page.locator("#start").click()
        expect(page.locator("#submit")).to_be_enabled(timeout=120_000)
        drafted = {name: page.locator(f"#box-{name} textarea").input_value() for name in SECTIONS}
        assert all(drafted.values())
        expect(page.locator("#score .score")).to_contain_text(re.compile(r"高于 \d+ % 的真人回信（余弦 -?\d\.\d\d）"))
        page.locator("#box-answer textarea").fill(f"{drafted['answer']}\n{EDIT}")
        expect(page.locator("#stamp .saved")).to_contain_text("第 1 版", timeout=30_000)
        page.locator("#submit").click()
        expect(page.locator("#status")).to_have_text(ZH("submitted"), timeout=30_000)
        page.close()

        page = browser.new_page(locale="zh-CN")
        page.on("request", lambda request: asked.append(request.url))
        open_as(page, f"{desk}zh/review/?draft=1", "李婷")
        expect(page.locator("#approve")).to_be_enabled(timeout=30_000)
        page.locator("#approve").click()
        expect(page.locator("#status")).to_contain_text(ZH("decided_approve", id=1), timeout=30_000)
        browser.close()
    assert [url for url in asked if not url.startswith((desk, "data:", "blob:"))] == []

    out = tmp_path / "sft.jsonl"
    command = [sys.executable, "-m", "app", "--data-dir", str(tmp_path / "data"), "export", "sft", "--out", str(out)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2 and not out.exists()
    with closing(Store.open(tmp_path / "data", beside_desk=True)) as store:
        # 1: the first draft and its post.
        person, text = store.person("李婷").id, store.latest_revision(1)
        curating.grant(store, 1, "training", person)
        curating.confirm(store, 1, text.version, text.text_sha256, person)
    exported = subprocess.run(command, capture_output=True, text=True)
    assert exported.returncode == 0, exported.stderr
    (line,) = out.read_text("utf-8").splitlines()
    system, user, assistant = json.loads(line)["messages"]
    assert [message["role"] for message in (system, user, assistant)] == ["system", "user", "assistant"]
    assert POST in user["content"]
    response = parse(assistant["content"])
    assert response.answer == f"{drafted['answer']}\n{EDIT}"
    assert response.L1 == drafted["L1"]
