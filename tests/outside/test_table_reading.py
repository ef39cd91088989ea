"""Tables as people have them: quotes that do not close, and lists in json."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import soundfile

SENTENCES = ["A sentence."] * 24


@pytest.fixture
def voices(empty):
    """Return a folder with clips of six speakers, and a function that writes a table of them with a column of texts."""
    rng = np.random.default_rng(0)
    rows = []
    for speaker, take in np.ndindex(6, 4):
        path = empty.folder / f"clips/s{speaker}_{take}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.1 * rng.normal(size=1000), 4000)
        rows.append((path.name, f"s{speaker}", "ab"[take % 2]))
    empty.rows = rows

    def write(name="t.tsv", texts=SENTENCES, separator="\t"):
        lines = [separator.join(("path", "item", "text", "label"))]
        lines += [separator.join((path, item, text, label)) for (path, item, label), text in zip(rows, texts, strict=True)]
        empty.file(name, "\n".join(lines) + "\n")

    empty.write_table = write
    return empty


def read(study, table, *options):
    return study.prepare("table", table, "--audio-folder", "clips", "--dataset", "e", *options)


def labels(study):
    return pd.read_parquet(study.folder / "data/e/corpus.parquet").set_index("path")["label"].to_dict()


def truth(study):
    return {path: label for path, _, label in study.rows}


@pytest.mark.parametrize(
    "texts",
    [
        {4: '"I do not know.', 8: 'And then he left."'},
        {4: '"I do not know.', 5: 'And then he left."'},
        {4: '"I do not know.', 8: '"And" then he left.'},
        {4: '"I do not know.', 8: '"He left.'},
        {4: '"I do not know.'},
        {4: '"I do not know.', 6: '"He left."', 8: 'And then he left."'},
    ],
    ids=["pair", "next row", "in the middle", "two openings", "one", "closed between"],
)
def test_quotes_that_do_not_close_in_their_cell_are_letters_with_a_note(voices, texts):
    voices.write_table(texts=[texts.get(number, "A sentence.") for number in range(24)])

    ended = read(voices, "t.tsv")

    assert ended.returncode == 0, ended.stderr
    assert "t.tsv, line 6: a quote is not closed" in ended.stdout
    assert labels(voices) == truth(voices)


@pytest.mark.parametrize("texts", [{4: '"I do not know, he said.', 8: 'And then he left."'}, {4: '"I do not know, he said.'}])
def test_where_lines_have_other_numbers_of_cells_such_a_quote_is_an_error_with_the_line(voices, texts):
    voices.write_table(texts=[texts.get(number, "A sentence.") for number in range(24)], separator=",")

    said = voices.mistake("-m", "preprocessing", "table", "t.tsv", "--audio-folder", "clips", "--dataset", "e")

    assert "t.tsv, line 6: a quote that opens in this line" in said
    assert "--quoting none" in said


def test_quotes_are_letters_where_the_user_says_so(voices):
    voices.write_table(texts=['"I do not know.' if number % 4 else 'He left."' for number in range(24)])

    ended = read(voices, "t.tsv", "--quoting", "none")

    assert ended.returncode == 0, ended.stderr
    assert "Note" not in ended.stdout
    assert labels(voices) == truth(voices)


def test_properly_quoted_texts_may_have_line_breaks_separators_and_quotes(voices):
    texts = [f'Line {number}, "quoted", and\n\nanother, line, with, commas' for number in range(24)]
    with (voices.folder / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [
                ("path", "item", "label", "text"),
                *((path, item, label, text) for (path, item, label), text in zip(voices.rows, texts, strict=True)),
            ]
        )

    ended = read(voices, "t.csv")

    assert ended.returncode == 0, ended.stderr
    assert labels(voices) == truth(voices)


def test_an_error_behind_a_text_with_line_breaks_names_the_line_that_it_begins_in(voices):
    voices.file("t.csv", 'path,item,label,text\na.wav,s,x,"one\ntwo"\nb.wav,,y,"one\ntwo"\n')

    assert "line 4, column item" in voices.mistake("-m", "preprocessing", "table", "t.csv")


def test_events_have_the_option_too(voices):
    voices.file("e.csv", "path,start_s,end_s,label,text\n" + 's0_0.wav,0,0.1,x,"one\n' + 's0_1.wav,0,0.1,y,two"\n')
    ended = voices.prepare("events", "e.csv", "--audio-folder", "clips", "--dataset", "e")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("line 2: a quote is not closed") == 1
    voices.file("e.csv", "path,start_s,end_s,label,text\n" + 's0_0.wav,0,0.1,x,"one,\n' + 's0_1.wav,0,0.1,y,two"\n')

    said = voices.mistake("-m", "preprocessing", "events", "e.csv", "--audio-folder", "clips")
    assert "e.csv, line 2: a quote" in said
    assert "--quoting none" in said
    assert len(labels(voices)) == 2


def test_text_that_is_not_utf8_names_its_line(voices):
    (voices.folder / "t.csv").write_bytes("path,item,label\na.wav,s,x\nä.wav,s,x\n".encode("latin-1"))

    assert "t.csv, line 3: not text in UTF-8" in voices.mistake("-m", "preprocessing", "table", "t.csv")


def test_a_manifest_in_json_lines_is_read(voices):
    records = [{"audio_filepath": path, "speaker": item, "label": label, "words": ["x"]} for path, item, label in voices.rows]
    voices.file("manifest.json", "".join(json.dumps(record) + "\n" for record in records))

    said = voices.mistake("-m", "preprocessing", "table", "manifest.json", "--audio-folder", "clips")
    assert "--path audio_filepath" in said
    assert "--item speaker" in said
    ended = read(voices, "manifest.json", "--path", "audio_filepath", "--item", "speaker")
    assert ended.returncode == 0, ended.stderr
    assert labels(voices) == truth(voices)


@pytest.mark.parametrize("form", ["lines", "list", "indented"])
def test_a_list_in_json_is_read_with_its_stretches(voices, form):
    records = [
        {"audio_filepath": path, "offset": 0.05, "duration": 0.1, "item": item, "label": label}
        for path, item, label in voices.rows
    ]
    lines = "\n".join(map(json.dumps, records))
    text = lines if form == "lines" else json.dumps(records, indent=2 if form == "indented" else None)
    voices.file("clips.jsonl", text)

    ended = read(voices, "clips.jsonl", "--path", "audio_filepath")

    assert ended.returncode == 0, ended.stderr
    index = pd.read_parquet(voices.folder / "data/e/corpus.parquet")
    assert set(index["start_s"]) == {0.05}
    assert index["end_s"].tolist() == pytest.approx([0.15] * 24)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"path": {"0": "a.wav"}, "label": {"0": "x"}}', "line 1: JSON, but not a list of clips"),
        ('{"path": "a.wav", "item": "s", "label": "x"}\n{"path": \n', "line 2: not JSON"),
        ('[{"path": "a.wav"},\n {"path" "b.wav"}]', "line 2: not JSON"),
        ('["a.wav", "b.wav"]', "JSON, but not a list of clips"),
        (
            '{"path": "a.wav", "item": "s", "label": "x"}\n{"path": "b.wav", "item": "s", "label": [[1], 2]}\n',
            "'label' holds a list",
        ),
    ],
)
def test_json_that_is_no_list_of_clips_is_named(voices, text, said):
    voices.file("clips.json", text)

    assert said in voices.mistake("-m", "preprocessing", "table", "clips.json")


@pytest.mark.long
def test_evaluate_reads_json_lines(copied):
    clips = pd.read_csv(copied.folder / "audio/clips.csv")
    clips.to_json(copied.folder / "audio/clips.jsonl", orient="records", lines=True)

    ended = copied.xval("evaluate", copied.fold() / "model.keras", "audio/clips.jsonl")

    assert ended.returncode == 0, ended.stderr


def test_several_labels_in_a_list_of_json_are_asked_about_and_read(voices):
    records = [{"path": path, "item": item, "label": [label, "c"]} for path, item, label in voices.rows]
    voices.file("clips.jsonl", "\n".join(map(json.dumps, records)))

    said = voices.mistake("-m", "preprocessing", "table", "clips.jsonl", "--audio-folder", "clips")
    assert "looks like several labels" in said
    assert read(voices, "clips.jsonl", "--task-type", "multilabel_classification").returncode == 0
    assert set(labels(voices).values()) == {"a;c", "b;c"}
