"""Scores by group on the page."""

from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.columns import write_columns
from preprocessing.corpus import open_corpus
from xval.extras.subgroups.groups import read_groups
from xval.report.request import PageRequest
from xval.report.write import write_page


def test_scores_by_group_stand_there_if_the_corpus_has_further_columns(copy, read_page):
    index = open_corpus("tones", Path("data")).index
    microphones = [f"<mic {number % 2}>" for number in range(len(index))]
    write_columns(Path("data") / "tones", index, pd.DataFrame({"clip": index["clip"], "microphone": microphones}))
    page = read_page(write_page(copy, PageRequest(with_audio=False, with_audit=False)))

    table = page.tables["groups"][0]  # the second is that of the durations
    assert [row[0]["text"] for row in table] == ["microphone", "<mic 0>", "<mic 1>"]
    wanted = {found.group: found.value for found in read_groups(copy)[0].scores}
    assert {row[0]["text"]: float(row[1]["value"]) for row in table[1:]} == pytest.approx(wanted)
    assert "Gap in balanced accuracy (UAR) by microphone: " in page.text["groups"]
