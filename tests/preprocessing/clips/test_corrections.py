"""Verdicts on labels: the file that keeps them, and the corpus in which they are applied."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.clips.corrections import (
    BAD,
    FILE_NAME,
    RIGHT,
    UNSURE,
    WRONG,
    LabelVerdict,
    VerdictFile,
    describe_agreement,
    read_corrections,
    read_verdicts,
)
from preprocessing.commands.command_line import read_settings
from preprocessing.corpus import make_corpus, open_corpus
from preprocessing.quality.cautions import find_cautions
from xval.base.errors import CorpusError

HEAD, HASH = "clip,verdict,old,new,who,when,why,index_hash\n", "0" * 32


def verdict(clip, said, old="", new="", who="ann", **changes):
    made = LabelVerdict(clip, said, old, new, who, "2026-01-02T03:04:05+01:00", "the models answer high", HASH)
    return replace(made, **changes)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes verdicts, and gives the file."""

    def write_verdicts(*verdicts):
        path = tmp_path / FILE_NAME
        for said in verdicts or [verdict("1.wav", RIGHT, "high")]:
            VerdictFile(path).add(said)
        if not verdicts:
            VerdictFile(path).take_back(lambda _: True)
        return path

    return write_verdicts


@pytest.fixture
def table(tmp_path):
    """A corpus of six tones of three speakers, prepared: its table."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        name = f"{number}.wav"
        soundfile.write(tmp_path / name, 0.1 * rng.normal(size=2000), 8000)
        rows.append((name, f"s{number // 2}", ("low", "high")[number % 2]))
    pd.DataFrame(rows, columns=["path", "item", "label"]).to_csv(tmp_path / "tones.csv", index=False)
    return tmp_path / "tones.csv"


def prepare(table, *options):
    return main(["table", str(table), "--data-folder", str(table.parent / "data"), "--workers", "1", *map(str, options)])


def test_verdicts_come_back_as_they_were_and_no_spreadsheet_computes_them(write):
    given = [
        verdict("=cmd|' /C calc'!A0.wav", WRONG, "+1", "@x", who="-ann"),
        verdict('a,b"c.wav', RIGHT, "007", why="two\nlines"),
        verdict("ü.wav", BAD, "NA"),
    ]

    path = write(*given)

    assert read_verdicts(path) == given
    cells = pd.read_csv(path, dtype=str, keep_default_na=False).to_numpy().ravel()
    assert not [cell for cell in cells if cell[:1] in "=@" and cell]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip,verdict\na,right\n", "column is missing: index_hash, new, old.*Its columns are clip, verdict, old"),
        (f"{HEAD}a,right,x,,ann,t,w,0123\n", "is not the hash of a dataset; the file may be cut off"),
        (f"{HEAD}a,right,x,,ann,t,w,{HASH},more\n", "more cells than there are columns"),
        (f'{HEAD}a,right,"x', "unexpected end of data"),
        ("\0\1", "cannot be read as verdicts of a review"),
        (f"{HEAD}a,rihgt,x,,ann,t,w,{HASH}\n", "unknown verdict 'rihgt'.*Did you mean 'right'"),
        (f"{HEAD}a,wrong,x,,ann,t,w,{HASH}\n", "a wrong label needs another label"),
        (f"{HEAD}a,right,x,y,ann,t,w,{HASH}\n", "every other verdict leaves it empty"),
        (f"{HEAD}a,right,x,,,t,w,{HASH}\n", "no reviewer"),
        (HEAD + f"a,right,x,,ann,t,w,{HASH}\n" * 2, "has judged a clip twice"),
    ],
)
def test_a_damaged_file_says_what_is_wrong_and_stays_as_it_is(tmp_path, content, message):
    path = tmp_path / FILE_NAME
    path.write_text(content)

    with pytest.raises(CorpusError, match=f"(?s){FILE_NAME}.*{message}"):
        VerdictFile(path).add(verdict("1.wav", WRONG, "x", "y"))

    assert path.read_text() == content


def test_only_what_all_reviewers_agree_on_is_applied(write):
    path = write(
        verdict("1.wav", WRONG, "x", "y"), verdict("1.wav", WRONG, "x", "y", who="bo"),
        verdict("2.wav", WRONG, "x", "y"), verdict("2.wav", WRONG, "x", "z", who="bo"),
        verdict("3.wav", BAD, "x"), verdict("3.wav", UNSURE, "x", who="bo"),
    )  # fmt: skip

    corrections = read_corrections(path)

    assert [*corrections.agreed] == ["1.wav"]
    assert corrections.disputed == ["2.wav", "3.wav"]
    assert corrections.facts["reviewers"] == ["ann", "bo"]


def test_corrections_make_a_corpus_of_its_own_name_that_says_where_they_are_from(table, write, capsys):
    assert prepare(table) == 0
    reviewed = open_corpus("tones", table.parent / "data")
    of_index = {"index_hash": reviewed.index_hash}
    path = write(
        verdict("1.wav", WRONG, "high", "low", **of_index), verdict("2.wav", BAD, "low", **of_index),
        verdict("3.wav", RIGHT, "high", **of_index), verdict("4.wav", UNSURE, "low", **of_index),
    )  # fmt: skip
    capsys.readouterr()

    assert prepare(table, "--corrections", path) == 0

    printed = capsys.readouterr().out
    assert "Corrected  1 label; skipped 1 bad recording; unchanged, because reviewers disagree: 0 clips" in printed
    assert "favours the model whose predictions were reviewed" in printed
    assert "Skipped    1 clip; reasons: " in printed
    corrected = open_corpus("tones_corrected", table.parent / "data")
    labels = dict(zip(corrected.index["clip"], corrected.index["label"], strict=True))
    assert labels == {"0.wav": "low", "1.wav": "low", "3.wav": "high", "4.wav": "low", "5.wav": "high"}
    assert "2.wav,s1,a bad recording according to its reviewers\n" in (corrected.folder / "left_out.csv").read_text()
    assert corrected.corrections == {
        "file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "of_index": reviewed.index_hash,
        "reviewers": ["ann"], "n_changed": 1, "n_left_out": 1, "n_disputed": 0,
    }  # fmt: skip
    assert corrected.index_hash != reviewed.index_hash
    assert open_corpus("tones", table.parent / "data").index.equals(reviewed.index)
    assert "a review corrected 1 label and excluded 1 clip" in find_cautions(corrected, read_settings([]))[0]


@pytest.mark.parametrize(
    ("verdicts", "options", "message"),
    [
        ([verdict("1.wav", WRONG, "high", "low")], ["--dataset", "tones"], "already has the dataset without corrections"),
        ([verdict("9.wav", WRONG, "high", "low")], [], "1 of its clips are not in this dataset"),
        ([verdict("1.wav", WRONG, "low", "high")], [], "was reviewed as 'low', but has the label 'high' here"),
        ([verdict("1.wav", WRONG, "high", "LOW")], [], "differ only in case"),
        ([verdict("1.wav", RIGHT, "high")], [], "nothing to change"),
        ([verdict("1.wav", BAD, "high"), verdict("2.wav", BAD, "low", index_hash="1" * 32)], [], "verdicts on 2 datasets"),
        ([], [], "no verdict in it"),
    ],
)
def test_what_cannot_be_applied_is_refused_and_changes_nothing(table, write, capsys, verdicts, options, message):
    prepare(table)
    before = {path: path.read_bytes() for path in (table.parent / "data").rglob("corpus.parquet")}

    assert prepare(table, "--corrections", write(*verdicts), *options) == 2

    assert message in " ".join(capsys.readouterr().err.split())
    assert {path: path.read_bytes() for path in (table.parent / "data").rglob("corpus.parquet")} == before


def test_copies_follow_their_source(tmp_path, write):
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav", "c.wav", "copy.wav"):
        soundfile.write(tmp_path / name, 0.1 * rng.normal(size=2000), 8000)
    rows = [("a.wav", "s", "x", False, None), ("b.wav", "t", "y", False, None), ("copy.wav", "s", "x", True, "a.wav")]
    clips = pd.DataFrame(rows, columns=["path", "item", "label", "augmented", "source_clip"])
    path = write(verdict("a.wav", WRONG, "x", "y"))

    corpus, _ = make_corpus(
        clips, tmp_path, dataset="new", data_folder=tmp_path / "data", corpus="table", corrections=read_corrections(path)
    )

    assert set(corpus.index["label"]) == {"y"}


def test_the_agreement_of_two_is_cohens_kappa():
    """The example of two raters in Cohen's form: 20 and 15 alike, 5 and 10 apart, kappa 0.40."""
    said = [(RIGHT, RIGHT)] * 20 + [(RIGHT, BAD)] * 5 + [(BAD, RIGHT)] * 10 + [(BAD, BAD)] * 15
    verdicts = [verdict(f"{n}", own, who=who) for n, pair in enumerate(said) for who, own in zip("ab", pair, strict=True)]

    assert describe_agreement(verdicts) == ["a and b: 50 clips judged by both, 35 with the same verdict, Cohen's kappa 0.40."]
    assert "undefined, because all verdicts are the same" in describe_agreement(verdicts[:40])[0]
    assert describe_agreement(verdicts[::2]) == []
    named = [verdict("1", WRONG, "x", new, who=who) for who, new in (("a", "y"), ("b", "z"))]
    assert "Of 1 that both judged wrong, 0 got the same new label" in describe_agreement([*verdicts, *named])[0]
