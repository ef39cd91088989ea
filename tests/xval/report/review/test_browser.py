"""The page of a review in a browser, by keys and clicks, on a telephone and on a screen."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request

import numpy as np
import pytest
from tornado.websocket import websocket_connect

from preprocessing.clips.corrections import read_verdicts
from xval.answers.label_suspects import AnsweredClips

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
HOSTILE = "<img src=x onerror=window.hacked=1>"
WAIT_S = 120

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Browser:
    """A headless Chromium, told what to do through its DevTools protocol."""

    def __init__(self, profile):
        command = [CHROMIUM, *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        # A group of its own: Chromium has children, and a script may stand before it.
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.loop, self.n_sent, self.profile = asyncio.new_event_loop(), 0, profile

    def find_page(self):
        port = self.wait(lambda: (self.profile / "DevToolsActivePort").read_text().split()[0], OSError, IndexError)
        pages = self.wait(lambda: self.pages(port), OSError, StopIteration)
        self.socket = self.loop.run_until_complete(self.connect(pages))

    @staticmethod
    async def connect(page):
        return await websocket_connect(page, max_message_size=1 << 26)

    async def disconnect(self):
        self.socket.close()
        while await self.socket.read_message() is not None:
            pass

    @staticmethod
    def pages(port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=WAIT_S) as answer:
            return next(page["webSocketDebuggerUrl"] for page in json.load(answer) if page["type"] == "page")

    def wait(self, get, *errors):
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            try:
                if value := get():
                    return value
            except errors:
                pass
            time.sleep(0.02)
        raise TimeoutError

    def tell(self, method, **parameters):
        async def exchange():
            await self.socket.write_message(json.dumps({"id": self.n_sent, "method": method, "params": parameters}))
            while True:
                answer = json.loads(await self.socket.read_message())
                if answer.get("id") == self.n_sent:
                    return answer["result"]

        self.n_sent += 1
        return self.loop.run_until_complete(exchange())

    def value(self, expression):
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, address, width):
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 700)
        self.tell("Page.navigate", url=address)
        self.see("document.body?.dataset.ready")

    def see(self, expression):
        return self.wait(lambda: self.value(expression))

    def at(self, number):
        self.see(f"document.body.dataset.ready === '{number}' && !busy && number === {number}")

    def press(self, key):
        text = {"text": key} if len(key) == 1 else {}
        code = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39}.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            self.tell(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **(text if kind == "keyDown" else {})
            )

    def click(self, selector):
        place = self.value(
            f"(() => {{ const it = document.querySelector({selector!r}); it.scrollIntoView({{block: 'center'}}); "
            "const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.loop.close()


@pytest.fixture
def browser(tmp_path):
    started = Browser(tmp_path / "profile")
    try:
        started.find_page()
        yield started
        started.loop.run_until_complete(asyncio.wait_for(started.disconnect(), WAIT_S))
    finally:
        started.close()


@pytest.fixture
def answered(finished):
    """Answers that are wrong on every clip, of three classes, one of whose names is markup, on which no model was trained."""
    clips = tuple(sorted(f"speaker_{speaker}_{take}.wav" for speaker in range(6) for take in range(4)))
    items = np.array([clip.rpartition("_")[0] for clip in clips], object)
    labels = np.zeros(len(clips), np.int64)
    probabilities = np.tile([0.1, 0.3, 0.6], (len(clips), 1))
    probabilities[::2] = [0.9, 0.05, 0.05]
    return AnsweredClips(1, ("low", "high", HOSTILE), clips, items, labels, probabilities)


@pytest.mark.parametrize("width", [390, pytest.param(1300, marks=pytest.mark.slow)])
def test_suspects_are_judged_by_keys_and_clicks(make_review, serve, browser, answered, width):
    review = make_review(answered=answered)
    browser.open(serve(review).address, width)

    def verdicts():
        return [(row.verdict, row.new) for row in read_verdicts(review.path)]

    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert browser.value("document.getElementById('reason').textContent") == review.suspects[0].why
    browser.see("document.getElementById('audio').duration > 0.1 && document.getElementById('picture').naturalWidth > 10")
    assert browser.value("document.querySelectorAll('#others .clip').length") == len(review.show(0)["others"])
    browser.press(" ")
    browser.see("document.getElementById('audio').currentTime > 0")
    browser.press("r")
    browser.at(1)
    assert verdicts() == [("right", "")]
    browser.press("3")
    browser.at(2)
    browser.press("b")
    browser.at(3)
    browser.click("[data-verdict=unsure]")
    browser.at(4)
    browser.press("w")
    browser.press("h")
    browser.press("i")
    browser.press("Enter")
    browser.at(5)
    assert verdicts() == [("right", ""), ("wrong", HOSTILE), ("bad recording", ""), ("unsure", ""), ("wrong", "high")]
    browser.press("z")
    browser.at(4)
    browser.click("#undo")
    browser.at(3)
    assert len(verdicts()) == 3
    browser.press("1")  # the label that it has
    browser.press("ArrowLeft")
    browser.at(2)
    assert re.fullmatch(
        r"Suspect 3 of \d+, judged bad recording\.", browser.value("document.getElementById('place').textContent")
    )
    browser.click("#labels button:nth-child(2)")
    browser.at(3)
    assert verdicts()[-1] == ("wrong", "high")
    assert len(verdicts()) == 3
    browser.open(serve(review).address, width)
    browser.at(3)
    assert browser.value("document.getElementById('who').textContent").startswith("Reviewer ann: 3 of ")


def test_names_are_shown_as_text_and_an_ended_program_is_said(make_review, serve, browser, answered):
    server = serve(make_review(answered=answered))
    browser.open(server.address, 390)

    assert HOSTILE in browser.value("document.getElementById('labels').textContent")
    assert browser.value("document.querySelectorAll('img[src=x]').length") == 0
    assert browser.value("window.hacked === undefined")
    server.shutdown()
    server.server_close()
    browser.press("r")
    assert "all verdicts are kept" in browser.see("document.getElementById('error').textContent")
