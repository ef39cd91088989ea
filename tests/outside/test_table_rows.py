"""Rows of tables: texts that mean a missing value, all faults in one message, and which rows and labels are read."""

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

import preprocessing
from xval import XvalError

OTHERS = [f"s{speaker}_{take}.wav,s{speaker},{'xy'[take]}" for speaker in range(6) for take in range(2)]


@pytest.fixture
def clips(empty):
    """Return a folder with clips: s0_0.wav to s5_2.wav in audio."""
    rng = np.random.default_rng(0)
    (empty.folder / "audio").mkdir()
    for speaker, take in np.ndindex(6, 3):
        soundfile.write(empty.folder / f"audio/s{speaker}_{take}.wav", 0.1 * rng.normal(size=1000), 4000)
    return empty


def table(study, *rows, header="path,item,label", name="audio/t.csv"):
    others = [",".join([row, *[""] * (header.count(",") - 2)]) for row in OTHERS]
    study.file(name, "\n".join([header, *others, *rows]) + "\n")
    return len(others) + 2  # the line of the first row


def read(study, *options, name="audio/t.csv"):
    return study.prepare("table", name, "--dataset", "e", *options)


def refused(study, *options, command=()):
    return study.mistake("-m", "preprocessing", *command, "table", "audio/t.csv", *options)


def index(study):
    return pd.read_parquet(study.folder / "data/e/corpus.parquet").set_index("clip")


MISSING = ["#REF!", "NA", "nan", "NaN", "None", "n/a", "N/A", "#N/A", "NULL", "null", "<NA>", "NaT", "-"]


@pytest.mark.parametrize("text", MISSING)
def test_a_label_or_item_that_is_missing_is_as_an_empty_cell(clips, text):
    line = table(clips, f"s0_2.wav,s0,{text}", f"s1_2.wav,{text},x")

    said = refused(clips)

    assert f"line {line}, column label: received ''" in said
    assert f"line {line + 1}, column item: received ''" in said
    assert f"Read as empty: 2 cells (label: 1 {text}; item: 1 {text})" in said
    assert "--missing none" in said


def test_a_class_that_is_called_none_is_kept_where_the_user_says_so(clips):
    table(clips, *(f"s{speaker}_2.wav,s{speaker},None" for speaker in range(6)))

    assert read(clips, "--missing", "NA,nan").returncode == 0
    assert set(index(clips)["label"]) == {"x", "y", "None"}
    assert read(clips, "--map-labels", "None=nothing").returncode == 0
    assert set(index(clips)["label"]) == {"x", "y", "nothing"}


@pytest.mark.parametrize("name", ["none", "na", "unknown"])
def test_names_are_no_missing_values(clips, name):
    table(clips, *(f"s{speaker}_2.wav,s{speaker},{name}" for speaker in range(6)))

    assert read(clips).returncode == 0
    assert name in set(index(clips)["label"])


def test_missing_cells_of_other_columns_are_empty_and_counted(clips):
    table(clips, "s0_2.wav,s0,x,NA,0.05,nan", "s1_2.wav,s1,y,30,,", header="path,item,label,age,start_s,end_s")

    ended = read(clips)

    assert ended.returncode == 0, ended.stderr
    assert "Note       Read as empty: 2 cells (age: 1 NA; end_s: 1 nan)" in ended.stdout
    assert index(clips).loc["s0_2.wav#0.05-end", "start_s"] == 0.05
    ages = pd.read_parquet(clips.folder / "data/e/columns.parquet").set_index("clip")["age"]
    assert ages["s1_2.wav"] == 30
    assert ages.isna().sum() == 13


def test_a_look_up_of_excel_that_failed_is_missing(clips):
    book = openpyxl.Workbook()
    for row in ["path,item,label", *OTHERS, "s0_2.wav,s0,#N/A"]:
        book.active.append(row.split(","))
    book.save(clips.folder / "audio/t.xlsx")

    said = clips.mistake("-m", "preprocessing", "table", "audio/t.xlsx")

    assert "line 14, column label: received ''" in said


def test_of_several_labels_a_missing_one_is_none(clips):
    table(clips, "s0_2.wav,s0,NA", "s1_2.wav,s1,x;nan;y")

    ended = read(clips, "--task-type", "multilabel_classification")

    assert ended.returncode == 0, ended.stderr
    assert "Read as empty: 2 cells (label: 1 NA, 1 nan)" in ended.stdout
    assert index(clips).loc["s0_2.wav", "label"] == ""
    assert index(clips).loc["s1_2.wav", "label"] == "x;y"


@pytest.mark.parametrize(
    ("column", "said"), [("label", "line 3: column label is empty"), ("voice", "line 3: column voice is empty")]
)
def test_events_without_label_or_item_are_faults(clips, column, said):
    row = {"path": "s0_1.wav", "start_s": 0, "end_s": 0.1, "label": "x", "voice": "v"} | {column: "NA"}
    events = pd.DataFrame([row | {"path": "s0_0.wav", column: "x"}, row])
    events.to_csv(clips.folder / "audio/e.csv", index=False)

    text = clips.mistake("-m", "preprocessing", "events", "audio/e.csv", "--item", "voice")

    assert said in text
    assert "--missing none" in text


def test_a_recording_whose_event_is_missing_has_none(clips):
    clips.file("audio/e.csv", "path,start_s,end_s,label\ns0_0.wav,0,0.1,x\ns1_0.wav,0,0.1,x\ns1_1.wav,NA,NA,NA\n")

    ended = clips.prepare("events", "audio/e.csv", "--dataset", "e", "--task-type", "frame_classification")

    assert ended.returncode == 0, ended.stderr
    assert "Read as empty: 3 cells" in ended.stdout
    assert set(index(clips)["label"]) == {"x", "background"}


@pytest.mark.parametrize("column", ["label", "item"])
def test_a_data_frame_names_the_row(column, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"path": ["a.wav", "b.wav"], "item": ["s", "t"], "label": ["x", "y"]})
    frame.loc[1, column] = "NA"

    with pytest.raises(XvalError, match=f"DataFrame: row 1 has no {column}.*received 'NA'.*give missing=\"none\""):
        preprocessing.prepare(frame, dataset="corpus")


def test_a_speaker_called_none_of_a_data_frame_is_kept(clips, monkeypatch):
    monkeypatch.chdir(clips.folder)
    rows = [row.split(",") for row in OTHERS]
    frame = pd.DataFrame([[f"audio/{path}", item.replace("s5", "None"), label] for path, item, label in rows])
    frame.columns = ["path", "item", "label"]

    settings = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    preprocessing.prepare(frame, dataset="e", missing="none", settings=settings, workers=1, quiet=True)

    assert "None" in set(index(clips)["item"])


@pytest.mark.long
def test_evaluate_keeps_what_is_a_class_of_the_model(clips):
    table(clips, *(f"s{speaker}_2.wav,s{speaker},None" for speaker in range(6)))
    assert read(clips, "--missing", "none").returncode == 0
    clips.train({"architecture": "mlp", "n_units": (4,)}, dataset="e", page="none", num_epochs=1)
    model = clips.folder / "results/e/experiment_1/instance_1/fold_1/model.keras"
    clips.file("audio/new.csv", "path,label,end_s\ns0_2.wav,None,NA\ns0_1.wav,x,\n")

    ended = clips.xval("evaluate", model, "audio/new.csv")

    assert ended.returncode == 0, ended.stderr
    assert "Read as empty: 1 cell (end_s: 1 NA)" in ended.stdout
    clips.file("audio/new.csv", "path,label,item\ns0_2.wav,x,NA\ns0_1.wav,x,s1\n")
    said = clips.mistake("-m", "xval", "evaluate", str(model), "audio/new.csv")
    assert "line 2, column item: received ''" in said
    assert "--missing none" in said
    assert clips.xval("evaluate", model, "audio/new.csv", "--missing", "none", "--overwrite").returncode == 0


@pytest.mark.long
def test_evaluate_chooses_rows_and_leaves_out_wrong_ones(copied):
    model, head = copied.fold() / "model.keras", "path,item,label,split"
    lines = [
        f"{label}/s{speaker}_{take}.wav,s{speaker},{label},test"
        for speaker in range(6)
        for take, label in enumerate(("low", "high"))
    ]
    copied.file("audio/new.csv", "\n".join([head, *lines, "low/s0_2.wav,,low,test", "none.wav,s1,low,train"]))

    assert "--drop-bad-rows skips these rows" in copied.mistake("-m", "xval", "evaluate", str(model), "audio/new.csv")
    ended = copied.xval("evaluate", model, "audio/new.csv", "--drop-bad-rows", "--where", "split=test", "--quoting", "none")
    copied.file(
        "use.py",
        "import sys, xval\nmodel = xval.load_model(sys.argv[1])\n"
        "scores = model.evaluate('audio/new.csv', drop_bad_rows=True, where='split=test', missing='none', quoting='none')\n"
        "print(len(scores.predictions), scores.warnings[0])\n",
    )
    in_python = copied.python("use.py", str(model))
    of_folder = copied.mistake("-m", "xval", "evaluate", str(model), "audio", "--drop-bad-rows")

    assert ended.returncode == 0, ended.stderr
    for said in (ended.stdout, in_python.stdout):
        assert "Read: 13 of 14 rows (split=test). Skipped 1 of 13 rows with faults" in said, in_python.stderr
    assert in_python.stdout.startswith("12 ")
    assert "--drop-bad-rows True: is only for tables" in of_folder


WRONG = [
    "s0_2.wav,s0",
    "s1_2.wav,,x",
    "s2_2.wav,s2,",
    "s3_2.wav,s3,x,-1",
    "s4_2.wav,s4,x,2,1",
    "s0_0.wav,s0,x",
    "s1_1.wav,s2,y",
]


def wrong(study, header="path,item,label,start_s,end_s"):
    rows = [",".join([row, *[""] * (4 - row.count(","))]) if number else row for number, row in enumerate(WRONG)]
    return table(study, *rows, header=header)


def test_all_faults_of_a_table_are_told_at_once(clips):
    line = wrong(clips)

    said = refused(clips)

    for number, text in enumerate(
        [
            "2 cells, but the header has 5",
            "column item: received",
            "column label: received",
            "column start_s: received",
            "received the segment from 2 to 1 s",
            "the clip s0_0.wav is listed in line 2 too",
            "the clip s1_1.wav is listed in line 5 too",
        ]
    ):
        assert f"line {line + number}" in said
        assert text in said
    assert "line 5: the same clip as in line 20, but with another label or item" in said
    assert "--drop-bad-rows" in said


def test_of_many_alike_faults_the_lines_are_told(clips):
    table(clips, *(f"s{speaker % 6}_2.wav,,x" for speaker in range(9)), "s0_2.wav,s0,")

    said = refused(clips)

    assert "line 23, column label" in said
    assert said.count("column item") == 1
    assert "(and 8 more: lines 15, 16, 17, 18, 19, 20, 21, 22)" in said


def test_missing_columns_are_told_at_once(clips):
    clips.file("audio/t.csv", "file,speaker,emotion\ns0_0.wav,s0,x\n")

    said = refused(clips)

    assert "--path file" in said
    assert "--item speaker" in said
    assert "--label emotion" in said


def test_names_and_cells_that_are_wrong_are_told_at_once(clips):
    table(clips, "s0_2.wav,,x", "s1_2.wav,S1,x")

    said = refused(clips)

    assert "column item: received" in said
    assert "differ only in case or spaces" in said


def test_items_classes_cells_and_overlaps_that_are_wrong_are_told_at_once(clips):
    table(
        clips,
        "s0_2.wav,,x,,",
        "s1_2.wav,S1,x,,",
        "s2_2.wav,s2,X,0,0.2",
        "s2_2.wav,s2,x,0.1,",
        header="path,item,label,start_s,end_s",
    )

    said = refused(clips)
    answered = refused(clips, "--similar-names", "one")
    without = refused(clips, "--drop-bad-rows")

    for text in (said, without):
        assert ("column item: received" in text) == (text is said)
        for what in ("items 'S1' and 's1'", "classes 'X' and 'x'"):
            assert f"The {what} differ only in case or spaces. Are they the same? If so, give --similar-names one" in text
        assert ("overlap" in text) == (text is without)  # which rows are left is not known before
    assert "column item: received" in answered
    assert "differ only in" not in answered


def test_bad_rows_are_dropped_where_the_user_says_so(clips):
    line = wrong(clips)

    ended = read(clips, "--drop-bad-rows")

    assert ended.returncode == 0, ended.stderr
    assert "Skipped 8 of 19 rows with faults" in ended.stdout
    assert f"line {line}: 2 cells, but the header has 5" in ended.stdout
    left = set(index(clips).index)
    assert "s0_0.wav" in left
    assert "s1_1.wav" not in left  # none knows which of its two items is right
    assert len(left) == 11


def test_a_name_that_no_file_can_hold_is_named_by_its_line(clips):
    line = table(clips, 's0_2.wav,"s\nt",x')

    assert f"line {line}, column item: received 's\\nt'; expected a name without control characters" in refused(clips)


def test_where_no_row_is_left_nothing_is_dropped(clips):
    clips.file("audio/t.csv", "path,item,label\ns0_0.wav,,x\ns0_1.wav,,y\n")

    assert "column item: received" in refused(clips, "--drop-bad-rows")


@pytest.mark.parametrize("faulty", [True, False])
def test_check_ends_with_an_error_where_it_says_refused(clips, faulty):
    table(clips, *(["s0_2.wav,S1,x"] if faulty else []))

    ended = clips.python("-m", "preprocessing", "table", "--check", "audio/t.csv", "--headers-only", "--dataset", "e")

    assert ("Problem" in ended.stdout) == faulty, ended.stdout
    assert ended.returncode == (2 if faulty else 0), ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "where", ["split=train", "split == 'train' and age < 50", "age=30", "speaker != 's5' and split='x' or split == 'train'"]
)
def test_where_chooses_rows_before_they_are_checked(clips, where):
    rows = [f"{row},{'test' if row.startswith('s5') else 'train'},{30 + 30 * row.startswith('s5')}" for row in OTHERS]
    clips.file("audio/t.csv", "\n".join(["path,speaker,label,split,age", *rows, "s5_2.wav,,,test,", "s4_2.wav,,,NA,"]))
    options = ["--item", "speaker", "--where", where]

    if "='x'" in where:
        assert "it is not an expression" in refused(clips, *options)
        return
    ended = read(clips, *options)
    assert ended.returncode == 0, ended.stderr
    assert f"Read: 10 of 14 rows ({where})" in ended.stdout
    assert set(index(clips)["item"]) == {"s0", "s1", "s2", "s3", "s4"}


def test_an_option_that_stands_alone_takes_no_word_behind_it(clips):
    table(clips, "s0_2.wav,,x")

    for words in (["--drop-bad-rows", "audio/t.csv"], ["--drop-bad-rows", "true", "audio/t.csv"]):
        assert "Skipped 1 of 13 rows with faults" in clips.prepare("table", *words, "--dataset", "e").stdout
    said = clips.mistake("-m", "preprocessing", "table", "--drop-bad-rows", "yes", "audio/t.csv")
    assert "expected true or false" in said


def test_where_that_chooses_nothing_or_has_another_column_is_refused(clips):
    table(clips)

    assert "none of the 12 rows" in refused(clips, "--where", "label=z")
    assert "Did you mean 'label'" in refused(clips, "--where", "labl=x")


def test_labels_get_other_names(clips):
    table(clips, "s0_2.wav,s0,glad", "s1_2.wav,s1,joy")

    assert read(clips, "--map-labels", "glad=joy, x=sad").returncode == 0
    assert set(index(clips)["label"]) == {"joy", "sad", "y"}
    assert "no row has this label" in refused(clips, "--map-labels", "gald=joy")
    assert "expected LABEL=OTHER" in refused(clips, "--map-labels", "glad")
    assert read(clips, "--map-labels", "x=z,y=z,joy=a", "--task-type", "multilabel_classification").returncode == 0
    assert set(index(clips)["label"]) == {"a", "glad", "z"}


def test_events_are_chosen_renamed_and_dropped(clips):
    rows = [f"s{n}_0.wav,0,0.1,{'ab'[n % 2]},{30 + n}" for n in range(6)] + ["s0_1.wav,0.1,0.05,a,31", "s0_1.wav,0,0.1,a,90"]
    clips.file("audio/e.csv", "\n".join(["path,onset,offset,label,snr", *rows]) + "\n")

    ended = clips.prepare(
        "events", "audio/e.csv", "--dataset", "e", "--where", "snr < 90", "--map-labels", "a=c", "--drop-bad-rows"
    )

    assert ended.returncode == 0, ended.stderr
    assert "Skipped 1 of 7 rows with faults" in ended.stdout
    assert sorted(index(clips)["label"]) == ["b", "b", "b", "c", "c", "c"]
