"""The quality report finds every fault that was planted, says where, and stays silent about a clean corpus."""

import csv
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.__main__ import main
from preprocessing.audio.read import describe_audio
from preprocessing.clips.augmented_copies import COPIES_COLUMNS
from preprocessing.clips.listing import copy_name
from preprocessing.commands import carry_out
from xval.base.errors import SettingsError

RATE_HZ = 8000
ITEMS, CLASSES = ("ann", "bob", "cem", "dee"), ("no", "yes")
EVIL = "<script>alert('x')</script>"


def noise(seed: int, duration_s: float = 0.3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(duration_s * RATE_HZ)).astype(np.float32)


class Corpus:
    """A folder of wav files and the table that lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.draws = False  # charts take longer than all else
        self.rows: list[tuple[str, ...]] = []
        self.header = "path,item,label"
        folder.mkdir()
        for seed, (item, label, take) in enumerate((item, label, take) for item in ITEMS for label in CLASSES for take in "12"):
            self.add(f"{item}_{label}_{take}.wav", item, label, noise(seed))

    def add(
        self,
        name: str,
        item: str,
        label: str,
        samples: NDArray[Any] | bytes | None,
        rate_hz: int = RATE_HZ,
        **options: str,
    ) -> None:
        path = self.folder / name
        if isinstance(samples, bytes):
            path.write_bytes(samples)
        elif samples is not None:
            soundfile.write(path, samples, rate_hz, **options)
        self.rows.append((name, item, label))

    def check(self, *arguments: str) -> tuple[dict[str, dict[str, str]], str]:
        """Run the check; return the rows of quality.csv by clip, and the page."""
        with (self.folder / "clips.csv").open("w", newline="") as file:
            csv.writer(file).writerows([self.header.split(","), *self.rows])
        output = self.folder.parent / "report"
        command = ["table", "--check", str(self.folder / "clips.csv"), "--output", str(output), "--workers", "1"]
        command += ["--set", f"sample_rate_hz={RATE_HZ}", *arguments]
        with nullcontext() if self.draws else patch("preprocessing.commands.check.draw_charts", return_value={}):
            assert main(command) in (0, 2)  # 2: it is refused
        with (output / "quality.csv").open(newline="") as file:
            table = {row["clip"]: row for row in csv.DictReader(file)}
        return table, (output / "quality.html").read_text(encoding="utf-8")

    def faults(self, *arguments: str) -> dict[str, str]:
        """Run the check; return the faults of the clips that have any."""
        return {clip: row["faults"] for clip, row in self.check(*arguments)[0].items() if row["faults"]}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "corpus")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Page(HTMLParser):
    """What a browser would find: tags, and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def facts_of(page: str) -> list[list[str]]:
    """Return the rows of the summary."""
    return [list(row) for row in re.findall("<tr><td>([^<]+)</td><td>([^<]+)</td></tr>", page)]


def test_a_clean_corpus_has_no_faults(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.draws = True
    table, page = corpus.check()
    assert len(table) == 16
    assert not any(row["faults"] or row["reason"] for row in table.values())
    assert "No faults were found." in page
    assert "<section" not in page
    text = capsys.readouterr().out
    assert "Checked    16 clips of 4 items, 4.8 s" in text
    assert "Faults     none" in text
    assert f"Page       {corpus.folder.parent / 'report' / 'quality.html'}" in text


def test_the_facts_of_a_clip_are_right(corpus: Corpus) -> None:
    sine = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
    corpus.add("sine.wav", "ann", "yes", np.stack([sine, sine], axis=1), subtype="FLOAT")
    row = corpus.check()[0]["sine.wav"]
    facts = describe_audio(corpus.folder / "sine.wav")
    assert row["audio_hash"] == facts.audio_hash
    assert (row["item"], row["label"], row["subtype"], row["n_channels"]) == ("ann", "yes", "FLOAT", "2")
    assert (float(row["duration_s"]), int(row["sample_rate_hz"])) == (1.0, RATE_HZ)
    assert float(row["peak_dbfs"]) == pytest.approx(-6.02, abs=0.01)
    assert float(row["rms_dbfs"]) == pytest.approx(-9.03, abs=0.01)
    assert float(row["clipped_share"]) == 0


def test_identical_audio_across_items_comes_first_and_in_red(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.add("again.flac", "dee", "no", soundfile.read(corpus.folder / "ann_no_1.wav", dtype="int16")[0])
    corpus.add("silent.wav", "ann", "no", np.zeros(2000, np.float32))
    table, page = corpus.check()
    assert table["again.flac"]["faults"] == table["ann_no_1.wav"]["faults"] == "identical across items"
    assert table["again.flac"]["reason"] == "same audio as ann_no_1.wav (item ann)"
    assert table["ann_no_1.wav"]["reason"] == "same audio as again.flac (item dee)"
    verdict = Page(page).text.partition("Summary")[0]
    assert re.search("No experiment can use this dataset as it is:.*identical across items", verdict)
    assert re.search(r'<section class="finding refused" id="identical-across-items">.*?again\.flac', page, re.DOTALL)
    text = capsys.readouterr().out
    assert "Refused    identical across items: 2 clips. Give both clips the same item" in text
    assert text.index("identical across items") < text.index("silent")


def test_identical_audio_within_an_item_and_under_another_label(corpus: Corpus) -> None:
    corpus.add("same.wav", "ann", "no", noise(0))
    corpus.add("third.wav", "ann", "no", noise(0))
    corpus.add("other_label.wav", "bob", "no", noise(6))
    found = corpus.check()[0]
    assert found["same.wav"]["faults"] == found["ann_no_1.wav"]["faults"] == "identical"
    assert found["same.wav"]["reason"] == "same audio as ann_no_1.wav and 1 more"
    assert found["other_label.wav"]["faults"] == "identical, other label;identical"
    assert found["other_label.wav"]["reason"].startswith("same audio as bob_yes_1.wav (label yes)")


def test_what_cannot_be_read_is_named_with_its_reason(corpus: Corpus) -> None:
    whole = corpus.folder / "ann_no_1.wav"
    not_finite = noise(99)
    not_finite[100] = np.nan
    corpus.add("missing.wav", "ann", "no", None)
    corpus.add("empty.wav", "ann", "no", b"")
    corpus.add("no_samples.wav", "ann", "no", np.zeros(0, np.float32))
    corpus.add("text.wav", "ann", "no", b"this is not an audio at all")
    corpus.add("truncated.wav", "ann", "no", whole.read_bytes()[:2000])
    corpus.add("nan.wav", "ann", "no", not_finite, subtype="FLOAT")
    table, page = corpus.check()
    assert table["missing.wav"]["faults"] == "missing"
    assert table["empty.wav"]["faults"] == table["no_samples.wav"]["faults"] == "empty"
    assert table["text.wav"]["faults"] == "no audio yet"
    assert table["truncated.wav"]["faults"] in {"does not open", "does not decode"}
    assert table["nan.wav"]["faults"] == "NaN"
    broken = ["missing.wav", "empty.wav", "no_samples.wav", "text.wav", "truncated.wav", "nan.wav"]
    assert all(table[name]["reason"] and str(corpus.folder) not in table[name]["reason"] for name in broken)
    assert sum(bool(row["faults"]) for row in table.values()) == len(broken)
    assert "Experiments can use this dataset." in page


def test_silent_short_clipped_and_offset_clips(corpus: Corpus) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    loud = (1.5 * np.sin(2 * np.pi * 200 * time_s)).astype(np.float32)
    corpus.add("silent.wav", "ann", "no", np.zeros(RATE_HZ, np.float32))
    corpus.add("silent_too.wav", "bob", "no", np.zeros(RATE_HZ, np.float32))
    corpus.add("short.wav", "ann", "no", noise(70, 0.05))
    corpus.add("clipped.wav", "ann", "no", np.clip(loud, -1, 1))
    corpus.add("lowered.wav", "bob", "no", 0.2 * np.clip(1.4 * np.sin(2 * np.pi * 270 * time_s), -1, 1))
    one_channel = np.stack([np.clip(0.8 * loud, -1, 1), 0.3 * np.sin(2 * np.pi * 330 * time_s).astype(np.float32)], axis=1)
    corpus.add("left_clipped.wav", "cem", "no", one_channel)
    corpus.add("offset.wav", "cem", "no", noise(71) + 0.1)
    found = corpus.check()[0]
    assert {clip: row["faults"] for clip, row in found.items() if row["faults"]} == {
        "silent.wav": "silent",
        "silent_too.wav": "silent",
        "short.wav": "too short",
        "clipped.wav": "clipped",
        "lowered.wav": "clipped",
        "left_clipped.wav": "clipped",
        "offset.wav": "DC offset",
    }
    assert found["short.wav"]["reason"] == "0.05 s"


def test_the_criteria_can_be_chosen(corpus: Corpus) -> None:
    clipped = noise(80, 1.0)
    clipped[1000:1040] = 1.0
    corpus.add("clipped.wav", "ann", "no", clipped)
    assert corpus.faults() == {"clipped.wav": "clipped"}
    assert corpus.faults("--clipped-share", "0.01") == {}
    table, page = corpus.check("--min-duration-s", "0.5", "--clipped-share", "1")
    assert {row["faults"] for row in table.values() if row["faults"]} == {"too short"}
    assert "Shorter than 0.5 s." in page


def test_classes_items_and_rates_of_the_corpus(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.add("a.wav", "ann", "maybe", noise(90))
    corpus.add("b.wav", "ann", "maybe", noise(91))
    corpus.add("c.wav", "bob", "never", noise(92))
    corpus.add("d.wav", "anm", "no", noise(93), 44100)
    page = Page(corpus.check()[1]).text
    text = capsys.readouterr().out
    assert "Refused    class of one item: 2 classes. " in text
    assert "Doubtful   class of one clip: 1 class. " in text
    assert "Doubtful   item of one clip: 1 item. " in text
    assert re.search(r"Doubtful   mixed sample rates: \d+ Hz \(19 clips\), 44100 Hz \(1 clip\)", text)
    assert re.search(r"maybe\s+only item ann", page)
    assert re.search(r"anm\s+only d\.wav", page)
    assert re.search(r"44100 Hz\s+1 clips?\b", page)


def test_classes_that_durations_tell_apart(corpus: Corpus) -> None:
    for number in range(12):
        corpus.add(f"long_{number}.wav", ITEMS[number % 4], "maybe", noise(100 + number, 0.5))
    page = corpus.check()[1]
    assert "durations go with classes" in page
    assert re.search(r"maybe.*median 0\.5 s", page, re.DOTALL)
    for number in range(12):
        corpus.add(f"also_{number}.wav", ITEMS[number % 4], CLASSES[number % 2], noise(200 + number, 0.5))
        corpus.add(f"short_{number}.wav", ITEMS[number % 4], "maybe", noise(300 + number))
    assert "durations go with classes" not in corpus.check()[1]


def test_too_few_items(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.rows = [row for row in corpus.rows if row[1] in {"ann", "bob"}]
    corpus.check()
    text = capsys.readouterr().out
    assert "Refused    too few items: 2 items." in text
    assert "Problem    no experiment can use this yet: the dataset has 2 items (ann, bob)" in text


def test_the_check_refuses_what_the_run_refuses_and_nothing_else(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.header += ",phase"
    corpus.add("same.wav", "bob", "yes", noise(0))
    phases = {"ann": "training", "bob": "training", "cem": "validation", "dee": "test"}
    corpus.rows = [(*row[:3], phases[row[1]]) for row in corpus.rows]
    _, page = corpus.check()
    text = capsys.readouterr().out
    assert "Refused" not in text
    assert "need --set fold_strategy=predefined, because identical audio on two sides" in text
    assert "Doubtful   identical across items: 2 clips" in text
    assert "Experiments can use this dataset." in page

    corpus.header = "path,item,label"
    corpus.rows = [row[:3] for row in corpus.rows if row[0] != "same.wav"]
    corpus.rows = [
        (path, item, label if item != "dee" or "_1" in path else f"only {label}") for path, item, label in corpus.rows
    ]
    _, page = corpus.check("--headers-only")
    assert "Problem    no experiment can use this yet: 2 labels of only one item" in capsys.readouterr().out
    assert "No experiment can use this dataset as it is" in page


@pytest.mark.parametrize("n_shared", [1, 2])
def test_items_of_one_clip_are_meant_where_most_are(corpus: Corpus, n_shared: int) -> None:
    first = corpus.rows[0][0]
    corpus.rows = [(path, first if row < n_shared else path, label) for row, (path, _, label) in enumerate(corpus.rows)]
    table, page = corpus.check()
    assert not any(row["faults"] for row in table.values())
    assert "No faults were found." in page


def test_what_the_corpus_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, speaker in enumerate(("01", "28", "41")):
        (tmp_path / "data" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "data" / speaker / f"7_{speaker}_0.wav", noise(seed), RATE_HZ)
    main(["audiomnist", "--check", str(tmp_path), "--folds", "gender", "--output", "report", "--workers", "1"])
    note = "1 of 3 speakers is skipped (--folds gender --label digit): 01."
    assert f"Note       {note}" in capsys.readouterr().out
    assert note in Page(Path("report/quality.html").read_text(encoding="utf-8")).text
    main(["audiomnist", "--check", str(tmp_path), "--output", "report", "--workers", "1"])
    need = "experiments with the folds of config.ini need --set num_folds=3"
    assert f"Note       {need}" in capsys.readouterr().out
    (note,) = [value for name, value in facts_of(Path("report/quality.html").read_text(encoding="utf-8")) if name == "Note"]
    assert note.startswith(need)


def test_names_cannot_become_part_of_the_page(corpus: Corpus) -> None:
    corpus.add("script.wav", EVIL, EVIL, noise(0))
    corpus.add("$x_1$.wav", "ann", "$no$", noise(94))
    corpus.draws = True
    _, page = corpus.check()
    found = Page(page)
    assert "script" not in found.tags
    assert EVIL in found.text
    assert "&lt;script&gt;" in page


def test_the_page_needs_nothing_else(corpus: Corpus) -> None:
    corpus.draws = True
    found = Page(corpus.check()[1])
    assert {"html", "head", "body", "table", "img", "style"} <= set(found.tags)
    assert not {"script", "link", "iframe"} & set(found.tags)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in found.addresses)
    assert found.tags.count("img") == len(list((corpus.folder.parent / "report").glob("*.png"))) == 6


def test_only_the_largest_of_many_items_are_in_the_table(corpus: Corpus) -> None:
    for number in range(45):
        corpus.add(f"extra{number}.wav", f"extra{number:02}", "no", noise(200 + number))
        if number < 38:
            corpus.add(f"extra{number}_2.wav", f"extra{number:02}", "no", noise(300 + number))
    page = corpus.check()[1]
    assert "the 40 largest of 49 items are shown; class_item.csv has all" in page
    with (corpus.folder.parent / "report" / "class_item.csv").open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows[:5] == [("no", "ann", "2"), ("no", "bob", "2"), ("no", "cem", "2"), ("no", "dee", "2"), ("no", "extra00", "2")]
    assert len(rows) == 49 + 4
    assert ("no", "extra40", "1") in rows
    assert page.count("<th>extra") == 36
    assert "<th>ann</th>" in page
    assert "<th>extra40</th>" not in page


def test_headers_only_decodes_nothing(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("preprocessing.quality.facts.decode", refuse)
    corpus.add("silent.wav", "ann", "no", np.zeros(RATE_HZ, np.float32))
    corpus.add("again.wav", "bob", "no", noise(0))
    corpus.add("empty.wav", "ann", "no", b"")
    corpus.add("text.wav", "ann", "no", b"this is not an audio at all")
    corpus.add("short.wav", "ann", "no", noise(70, 0.05))
    table, page = corpus.check("--headers-only")
    assert {clip: row["faults"] for clip, row in table.items() if row["faults"]} == {
        "empty.wav": "empty",
        "text.wav": "no audio yet",
        "short.wav": "too short",
    }
    assert float(table["ann_no_1.wav"]["duration_s"]) == pytest.approx(0.3)
    assert not table["ann_no_1.wav"]["audio_hash"]
    assert "Only the headers of the files were read" in page
    with pytest.raises(AssertionError, match="decoded"):
        corpus.check()


def test_stretches_are_judged_one_by_one(corpus: Corpus) -> None:
    corpus.header = "path,item,label,start_s,end_s"
    corpus.rows = [(*row, "", "") for row in corpus.rows]
    recording = np.concatenate([noise(1), np.zeros(RATE_HZ, np.float32), noise(60, 1.0)])
    soundfile.write(corpus.folder / "long.wav", recording, RATE_HZ)
    for item, start_s, end_s in (("bob", "0", "0.3"), ("bob", "0.4", "1.2"), ("bob", "1.5", "2.0"), ("bob", "2.0", "3.0")):
        corpus.rows.append(("long.wav", item, "no", start_s, end_s))
    table = corpus.check()[0]
    assert table["long.wav#0.0-0.3"]["faults"] == "identical across items"
    assert table["long.wav#0.0-0.3"]["reason"] == "same audio as ann_no_2.wav (item ann)"
    assert table["long.wav#0.4-1.2"]["faults"] == "silent"
    assert table["long.wav#1.5-2.0"]["faults"] == ""
    assert float(table["long.wav#1.5-2.0"]["duration_s"]) == pytest.approx(0.5)
    assert table["long.wav#2.0-3.0"]["faults"] == "outside its file"
    assert "(2.3 s)" in table["long.wav#2.0-3.0"]["reason"]


@pytest.mark.parametrize("link", [shutil.copy, os.symlink])
def test_stretches_of_a_copy_or_link_overlap_under_two_items(corpus: Corpus, link: Callable[[Path, Path], object]) -> None:
    corpus.header = "path,item,label,start_s,end_s"
    corpus.rows = [(*row, "", "") for row in corpus.rows]
    soundfile.write(corpus.folder / "long.wav", noise(60, 2.0), RATE_HZ)
    link(corpus.folder / "long.wav", corpus.folder / "other.wav")
    corpus.rows += [("long.wav", "ann", "no", "0", "0.5"), ("long.wav", "bob", "no", "0.6", "1.2")]
    corpus.rows.append(("other.wav", "dee", "no", "1.1", "1.6"))

    found = corpus.check("--shared-files", "keep")[0]

    assert {clip: row["faults"] for clip, row in found.items() if row["faults"]} == {
        "long.wav#0.0-0.5": "one file across items",
        "long.wav#0.6-1.2": "overlapping across items;one file across items",
        "other.wav#1.1-1.6": "overlapping across items;one file across items",
    }
    assert found["other.wav#1.1-1.6"]["reason"].startswith(
        "overlaps with long.wav#0.6-1.2 (item bob); a segment of the file of "
    )


def test_augmented_copies_are_compared_but_not_counted(corpus: Corpus) -> None:
    lines = [",".join(COPIES_COLUMNS)]
    for number, seed in ((1, 500), (2, 4)):
        name = copy_name("ann_no_1", number)
        soundfile.write(corpus.folder / name, noise(seed), RATE_HZ)
        lines.append(f"{name},ann_no_1.wav,{number},1.0,Gain,{{}},1")
    (corpus.folder / "augmented.csv").write_text("\n".join(lines))
    table, page = corpus.check()
    assert table[copy_name("ann_no_1", 2)]["faults"] == "identical across items"
    assert table[copy_name("ann_no_1", 2)]["augmented"] == "True"
    assert table[copy_name("ann_no_1", 1)]["faults"] == ""
    assert "16, and 2 augmented copies" in page
    assert re.search(r"<th>ann</th>(<td[^>]*>2</td>){2}<td class='total'>4</td>", page)


@pytest.mark.parametrize(
    ("item", "label", "what"), [("Ann", "no", "items 'Ann' and 'ann'"), ("ann", "Y es", "classes 'Y es' and 'yes'")]
)
def test_names_that_differ_in_case_or_spaces_alone_are_asked_about(
    corpus: Corpus, capsys: pytest.CaptureFixture[str], item: str, label: str, what: str
) -> None:
    corpus.add("more.wav", item, label, noise(99))
    rows, page = corpus.check()
    assert f"The {what} differ only in case or spaces" in Page(page).text
    assert set(rows) >= {"more.wav", "ann_no_1.wav"}  # which are still checked
    assert f"Problem    the list of clips: The {what} differ" in capsys.readouterr().out


def _name_classes_by_numbers(corpus: Corpus) -> None:
    corpus.rows = [(name, item, "1.5" if label == "no" else "2.5") for name, item, label in corpus.rows]


@pytest.mark.parametrize(
    ("add", "options", "fault", "clips"),
    [
        (lambda _: None, ["--set", "sample_rate_hz=16000"], "upsampled", set()),
        (
            lambda corpus: corpus.add("long.wav", "ann", "no", noise(30, 4.0)),
            [],
            "padded",
            {f"{item}_{label}_{take}.wav" for item in ITEMS for label in CLASSES for take in "12"},
        ),
        (_name_classes_by_numbers, [], "numbers as classes", set()),
    ],
)
def test_what_trains_nonsense_is_doubtful(
    corpus: Corpus,
    capsys: pytest.CaptureFixture[str],
    add: Callable[[Corpus], object],
    options: list[str],
    fault: str,
    clips: set[str],
) -> None:
    add(corpus)
    table, page = corpus.check("--headers-only", *options)
    assert {clip for clip, row in table.items() if fault in row["faults"]} == clips
    printed = capsys.readouterr().out
    assert f"Doubtful   {fault}: " in printed
    assert ("Hz (" in printed) == (fault == "upsampled")
    assert f">{fault}</a>" in page


def test_regression_has_targets_instead_of_classes(corpus: Corpus) -> None:
    corpus.rows = [(path, item, str(0.5 * number)) for number, (path, item, _) in enumerate(corpus.rows)]
    corpus.draws = True
    _, page = corpus.check("--task-type", "regression")
    assert "label from 0 to 7.5" in page
    assert "Clips of each class and item" not in page
    assert not (corpus.folder.parent / "report" / "class_item.csv").exists()
    assert (corpus.folder.parent / "report" / "targets.png").is_file()
    assert "No faults were found." in page


def test_the_check_of_a_corpus_without_labels_says_that_it_has_no_targets(corpus: Corpus) -> None:
    corpus.header, corpus.rows, corpus.draws = "path,item", [row[:2] for row in corpus.rows], True
    _, page = corpus.check("--task-type", "representation", "--headers-only")
    assert ["Targets", "none"] in facts_of(page)
    assert not (corpus.folder.parent / "report" / "targets.png").exists()


def test_a_corpus_of_augmented_copies_alone_is_reported_on(corpus: Corpus) -> None:
    corpus.header, corpus.rows, corpus.draws = f"{corpus.header},augmented", [(*row, "true") for row in corpus.rows], True
    table, page = corpus.check("--headers-only")
    assert set(table) == {row[0] for row in corpus.rows}
    assert ["Clips", "0, and 16 augmented copies"] in facts_of(page)


def test_a_refused_list_in_which_a_number_is_missing_is_reported_on(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = pd.DataFrame(corpus.rows, columns=["path", "item", "label"]).assign(label=[float("nan"), *range(15)])
    monkeypatch.setattr("preprocessing.commands.command_line.CorpusChoice.list_clips", lambda _: listed)
    corpus.draws = True
    _, page = corpus.check("--task-type", "regression", "--headers-only")
    assert "The list of clips cannot be used." in page
    assert ["Targets", "label from 0 to 14"] in facts_of(page)


def test_a_corpus_of_which_nothing_can_be_read(corpus: Corpus) -> None:
    for name, *_ in corpus.rows:
        (corpus.folder / name).write_bytes(b"")
    corpus.draws = True
    table, page = corpus.check()
    assert {row["faults"] for row in table.values()} == {"empty"}
    assert "No clip can be used." in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-duration-s", "-1"], "--min-duration-s -1: expected a number from 0"),
        (["--min-duration-s", "nan"], "--min-duration-s nan: expected a number from 0"),
        (["--clipped-share", "5"], "--clipped-share 5: expected a number from 0 to 1"),
        (["--header-only"], "Unknown option --header-only.*Did you mean '--headers-only'"),
        (["--workers", "0"], "a whole number from 1"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        carry_out(["table", "--check", "clips.csv", *options])
