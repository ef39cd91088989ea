"""Pages as a browser reads them, and a browser."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tornado.websocket import websocket_connect

from xval.results.folder import ExperimentFolder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WAIT_S = 120


class Read(HTMLParser):
    """The tags of a page with their attributes, its text by section or `FOLDS`, and the rows of its tables by these."""

    FOLDS = ("groups", "items")
    VOID = ("meta", "img", "link", "br", "input")

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.tables, self._sections = [], {}, {}, [""]
        self._cell = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag in ("section", "header", "details"):
            name = attributes.get("id", tag)
            self._sections.append(name if tag != "details" or name in self.FOLDS else self._section)
        if tag == "table":
            self.tables.setdefault(self._section, []).append([])
        if tag == "tr":
            self.tables[self._section][-1].append([])
        if tag in ("td", "th"):
            self._cell = {"text": "", "value": attributes.get("data-value")}

    @property
    def _section(self):
        return self._sections[-1]

    def handle_endtag(self, tag):
        if tag in ("section", "header", "details"):
            self._sections.pop()
        if tag in ("td", "th"):
            self.tables[self._section][-1][-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.text[self._section] = self.text.get(self._section, "") + data
        if self._cell is not None:
            self._cell["text"] += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def read_page():
    return lambda path: Read(path.read_text(encoding="utf-8"))


@pytest.fixture
def copy(finished, tmp_path, monkeypatch):
    """A copy of a finished experiment with its corpus; the current folder is the one it ran in."""
    shutil.copytree(finished.folder / "data", tmp_path / "data")
    results = shutil.copytree(finished.results, tmp_path / "results" / "tones" / "experiment_1")
    monkeypatch.chdir(tmp_path)
    return ExperimentFolder(results)


class Browser:
    """A headless Chromium, told what to do through its DevTools protocol."""

    def __init__(self, profile, *options):
        command = [CHROMIUM, *OPTIONS, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
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

    def open(self, address, width, ready):
        """Open a page in a window of a width, and wait for what is true when it is ready."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 700)
        self.tell("Page.navigate", url=address)
        self.see(ready)

    def see(self, expression):
        return self.wait(lambda: self.value(expression))

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
def start_browser(tmp_path):
    """Return a function that starts a headless Chromium with further options; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with ExitStack() as running:

        def start(*options):
            started = Browser(Path(tempfile.mkdtemp(dir=tmp_path, prefix="profile")), *options)
            running.callback(started.close)
            started.find_page()
            running.callback(lambda: started.loop.run_until_complete(asyncio.wait_for(started.disconnect(), WAIT_S)))
            return started

        yield start


@pytest.fixture
def browser(start_browser):
    return start_browser()
