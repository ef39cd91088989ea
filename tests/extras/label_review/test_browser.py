"""The page of a review in a browser, used by keys and clicks, on a telephone and on a screen."""

import re

import numpy as np
import pytest

from preprocessing.clips.corrections import read_verdicts
from xval.extras.label_review.label_suspects import PredictedClips

HOSTILE = "<img src=x onerror=window.hacked=1>"
READY = "document.body?.dataset.ready"


def be_at(browser, number):
    browser.see(f"document.body.dataset.ready === '{number}' && !busy && number === {number}")


@pytest.fixture
def predicted(finished):
    """Return predictions that are wrong for every second clip; one of the three classes has markup as its name."""
    clips = tuple(sorted(f"speaker_{speaker}_{take}.wav" for speaker in range(6) for take in range(4)))
    items = np.array([clip.rpartition("_")[0] for clip in clips], object)
    labels = np.zeros(len(clips), np.int64)
    probabilities = np.tile([0.1, 0.3, 0.6], (len(clips), 1))
    probabilities[::2] = [0.9, 0.05, 0.05]
    return PredictedClips(1, ("low", "high", HOSTILE), clips, items, labels, probabilities)


@pytest.mark.parametrize("width", [390, pytest.param(1300, marks=pytest.mark.slow)])
def test_suspects_are_judged_by_keys_and_clicks(make_review, serve, browser, predicted, width):
    review = make_review(predicted=predicted)
    browser.open(serve(review).address, width, READY)

    def verdicts():
        return [(row.verdict, row.new) for row in read_verdicts(review.path)]

    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert browser.value("document.getElementById('reason').textContent") == review.suspects[0].why
    browser.see("document.getElementById('audio').duration > 0.1 && document.getElementById('picture').naturalWidth > 10")
    assert browser.value("document.querySelectorAll('#others .clip').length") == len(review.show(0)["others"])
    browser.press(" ")
    browser.see("document.getElementById('audio').currentTime > 0")
    browser.press("r")
    be_at(browser, 1)
    assert verdicts() == [("right", "")]
    browser.press("3")
    be_at(browser, 2)
    browser.press("b")
    be_at(browser, 3)
    browser.click("[data-verdict=unsure]")
    be_at(browser, 4)
    browser.press("w")
    browser.press("h")
    browser.press("i")
    browser.press("Enter")
    be_at(browser, 5)
    assert verdicts() == [("right", ""), ("wrong", HOSTILE), ("bad recording", ""), ("unsure", ""), ("wrong", "high")]
    browser.press("z")
    be_at(browser, 4)
    browser.click("#undo")
    be_at(browser, 3)
    assert len(verdicts()) == 3
    browser.press("1")  # the label that it has
    browser.see("document.getElementById('error').textContent.startsWith('The clip already has the label low. Press r')")
    browser.press("ArrowLeft")
    be_at(browser, 2)
    assert re.fullmatch(
        r"Clip 3 of \d+, verdict: bad recording\.", browser.value("document.getElementById('place').textContent")
    )
    browser.click("#labels button:nth-child(2)")
    be_at(browser, 3)
    assert verdicts()[-1] == ("wrong", "high")
    assert len(verdicts()) == 3
    browser.open(serve(review).address, width, READY)
    be_at(browser, 3)
    assert browser.value("document.getElementById('who').textContent").startswith("Reviewer ann: 3 of ")


def test_a_key_that_comes_too_soon_is_reported_and_each_window_undoes_its_own(make_review, serve, browser, predicted):
    review = make_review(predicted=predicted)
    browser.open(serve(review).address, 1300, READY)
    browser.value(
        "['r', 'r'].forEach((key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })))"
    )
    be_at(browser, 1)
    assert browser.value("document.getElementById('error').textContent").startswith("Not saved")
    assert len(read_verdicts(review.path)) == 1

    make_review(predicted=predicted).judge(4, "unsure")  # in another window
    browser.press("z")
    be_at(browser, 0)
    assert [row.clip for row in read_verdicts(review.path)] == [review.suspects[4].clip]
    browser.press("r")
    be_at(browser, 1)
    browser.press("b")
    be_at(browser, 2)
    browser.press("ArrowLeft")
    be_at(browser, 1)
    browser.press("u")  # another verdict on the same suspect
    be_at(browser, 2)
    browser.press("z")
    be_at(browser, 1)
    browser.press("z")
    be_at(browser, 0)
    assert [row.clip for row in read_verdicts(review.path)] == [review.suspects[4].clip]
    browser.press("w")
    browser.press("q")
    browser.press("Enter")
    browser.see("document.getElementById('error').textContent === 'No other label contains \"q\".'")


def test_names_are_shown_as_text_and_an_ended_program_is_reported(make_review, serve, browser, predicted):
    server = serve(make_review(predicted=predicted))
    browser.open(server.address, 390, READY)

    assert HOSTILE in browser.value("document.getElementById('labels').textContent")
    assert browser.value("document.querySelectorAll('img[src=x]').length") == 0
    assert browser.value("window.hacked === undefined")
    server.shutdown()
    server.server_close()
    browser.press("r")
    assert "All verdicts are saved" in browser.see("document.getElementById('error').textContent")
