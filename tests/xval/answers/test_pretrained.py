"""The verdict on the figures of an instance, and its clause in every place that prints them."""

from dataclasses import replace

import openpyxl
import pytest

from xval.answers import instance_predictions
from xval.answers.dataframes import summarize
from xval.answers.findings import find_findings
from xval.answers.pretrained import clause, explain, from_record, judge_record, to_record, worst
from xval.answers.ranking import describe_selection, summary_table
from xval.report.model_card import describe_model
from xval.report.paper_table import make_table, to_latex, to_markdown
from xval.report.workbook import write_workbook

ONNX = {"features": "embedding", "embedding_model": "onnx:encoder.onnx"}
UNKNOWN = "pretrained part of unknown origin: "


@pytest.mark.parametrize(
    ("record", "parameters", "said"),
    [
        ({}, {}, ""),
        ({}, {"architecture": "mlp"}, ""),
        ({}, ONNX, f"{UNKNOWN}onnx:encoder.onnx"),
        ({}, {**ONNX, "embedding_model": "transformers:a/b"}, f"{UNKNOWN}transformers:a/b"),
        ({}, {**ONNX, "embedding_model": "opensmile:eGeMAPSv02"}, ""),  # hand-made
        ({}, {**ONNX, "embedding_model": "praat"}, ""),
        ({}, {**ONNX, "embedding_model": "wav2vec2-base"}, f"{UNKNOWN}wav2vec2-base"),  # a record of an earlier version
        ({"embedder_leakage": {"state": "clean", "reason": "x"}}, {**ONNX, "embedding_model": "wav2vec2-base"}, ""),
        ({"embedder_leakage": {"state": "leaked", "reason": "x"}}, {**ONNX, "embedding_model": "resemblyzer"},
         "leaked: resemblyzer"),
        ({"embedder_leakage": {"state": "unknown", "reason": "x"}},
         {**ONNX, "embedding_model": "whisper-small", "pretrained_on": "the web; not this corpus"},
         "pretrained part whisper-small, trained as stated on the web; not this corpus"),
        ({"store": "custom"}, ONNX, ""),  # arrays have no embedder
        ({}, {**ONNX, "features": "logmel"}, ""),
        ({}, {"encoder": "transformers:a/b", "architecture": "encoder"}, f"{UNKNOWN}transformers:a/b"),
        ({"embedder_leakage": {"state": "leaked", "reason": "x"}}, {"encoder": "wav2vec2-base", "architecture": "encoder"},
         "leaked: wav2vec2-base"),
        ({"embedder_leakage": {"state": "clean", "reason": ""}}, {"encoder": "wav2vec2-base", "architecture": "encoder"}, ""),
        ({"search": {"values": ONNX}}, {"features": "logmel"}, f"{UNKNOWN}onnx:encoder.onnx"),
        ({}, {**ONNX, "embedding_model": "keras:a.keras"}, f"{UNKNOWN}keras:a.keras"),
        ({"embedder_leakage": {"state": "clean", "reason": ""}}, {**ONNX, "embedding_model": "keras:a.keras"}, ""),
        ({"embedder_leakage": {"state": "leaked", "reason": "x"}}, {**ONNX, "embedding_model": "keras:a.keras"},
         "leaked: keras:a.keras"),
        ({}, {"initial_model": "a.keras"}, f"{UNKNOWN}initial_model a.keras"),
        ({"initial_model_items": "unseen"}, {"initial_model": "a.keras"}, ""),
        ({"outside_weights": ["conv/kernel", "b", "c"]}, {"architecture": "own.net"},
         f"{UNKNOWN}own.net, conv/kernel and 2 more weights"),
        ({"outside_weights": []}, {"architecture": "own.net"}, ""),
        ({"outside_weights": None}, {"architecture": "own.net"}, "pretrained part of unknown origin: own.net"),
        ({}, {"architecture": "own.net"}, f"{UNKNOWN}own.net"),  # a record of an earlier version
        ({}, {"architecture": "ensemble"}, f"{UNKNOWN}its members"),
        ({"members_origin": {"state": "clean"}}, {"architecture": "ensemble"}, ""),
        ({"near_duplicates": 3}, ONNX, "leaked: near-duplicates of tested clips"),
        ({"near_duplicates": 0}, {}, ""),
        ({}, {**ONNX, "pretrained_on": "AudioSet"}, "pretrained part onnx:encoder.onnx, trained as stated on AudioSet"),
        ({"near_duplicates": 1}, {"pretrained_on": "AudioSet"},
         "leaked: near-duplicates of tested clips"),
    ],
)  # fmt: skip
def test_the_verdict_on_a_job(record, parameters, said):
    assert clause(judge_record(record, parameters)) == said


def test_the_worst_verdict_counts_and_is_kept_in_records():
    leaked, vouched = judge_record({"near_duplicates": 2}, {}), judge_record({}, {**ONNX, "pretrained_on": "speech"})
    unknown = judge_record({}, {"initial_model": "a.keras"})

    assert worst([]) == worst([judge_record({}, {})])
    assert worst([vouched, judge_record({}, {})]) == vouched
    assert worst([vouched, unknown]) == unknown
    assert worst([unknown, leaked, vouched]) == leaked
    other = judge_record({}, {**ONNX, "embedding_model": "onnx:b.onnx", "pretrained_on": "music"})
    both = worst([vouched, other])
    assert clause(both).endswith("onnx:encoder.onnx; onnx:b.onnx, trained as stated on speech; music")
    ensemble = judge_record({"members_origin": to_record(both)}, {"architecture": "ensemble", "pretrained_on": "nothing"})
    assert ensemble == both  # what is said of members stays
    assert judge_record({"expected_origin": "odd"}, {}).state == "unknown"
    for origin in (leaked, vouched, unknown):
        assert from_record(to_record(origin)) == origin
    assert from_record({"state": "odd"}) is None
    assert explain(unknown) == f"{UNKNOWN}initial_model a.keras (its training data are not known)"


@pytest.fixture
def instances(make_instance):
    """An instance of audio alone, one with a foreign embedder, one that is vouched for, and one with near-duplicates."""
    plain = make_instance(1, [0.5, 0.6], dataset="toy", num_epochs=3)
    leaked = make_instance(4, [0.9, 1.0], dataset="toy", num_epochs=3)
    jobs = {key: {**record, "near_duplicates": 5} for key, record in leaked.jobs.items()}
    vouched = {**ONNX, "pretrained_on": "AudioSet; no speakers of this corpus"}
    return [
        plain,
        make_instance(2, [0.9, 1.0], dataset="toy", num_epochs=3, **ONNX),
        make_instance(3, [0.8, 0.9], dataset="toy", num_epochs=3, **vouched),
        replace(leaked, jobs=jobs),
    ]


SAID = {
    2: f"{UNKNOWN}onnx:encoder.onnx",
    3: "pretrained part onnx:encoder.onnx, trained as stated on AudioSet; no speakers of this corpus",
    4: "leaked: near-duplicates of tested clips",
}


def test_scores_by_group_and_dataframes_say_it(instances, monkeypatch):
    assert summarize(instances)["leakage"].to_dict() == {1: "", **SAID}
    monkeypatch.setattr(instance_predictions, "read_repeats", lambda *_: ["answers"])
    origins = {instance.number: instance_predictions.read_instance_predictions(instance).origin for instance in instances}
    assert origins == {1: "", **SAID}


def test_terminal_and_findings_say_it(instances):
    header, rows, *_ = summary_table(instances)

    assert header[-1] == "leakage"
    assert [row[-1] for row in rows] == ["nothing known", *SAID.values()]
    assert describe_selection(instances[1:2]).endswith(f"; {SAID[2]}.")
    texts = {tuple(finding.where): finding.line for finding in find_findings(instances) if finding.code == "XV101"}
    assert SAID[2] in texts[2,]
    assert "State its training data (pretrained_on)" in texts[2,]
    assert "onnx:encoder.onnx was trained on AudioSet; no speakers of this corpus, as you state" in texts[3,]
    assert "some tested clips are nearly identical to training clips. The scores are optimistic" in texts[4,]
    clean_header, *_ = summary_table(instances[:1])
    assert "leakage" not in clean_header
    assert not any(finding.code == "XV101" for finding in find_findings(instances[:1]))


def test_the_tables_of_a_paper_say_it(instances):
    table = make_table(instances, {})

    for text in (to_markdown(table), to_latex(table, label="tab:x")):
        lines = text.splitlines()
        for number, said in SAID.items():
            row = lines[[line.strip().startswith("| ---") or "midrule" in line for line in lines].index(True) + number]
            assert said in row, (number, text)


def test_the_workbook_says_it(instances, tmp_path):
    write_workbook(tmp_path / "results.xlsx", instances, {})

    book = openpyxl.load_workbook(tmp_path / "results.xlsx")

    assert {row[1]: row[-1] for row in book["summary"].iter_rows(min_row=6, max_row=9, values_only=True)} == {
        1: "nothing known",
        **SAID,
    }
    earlier = {row[0]: row[-1] or "" for row in book["folds"].iter_rows(min_row=2, max_row=9, values_only=True)}
    assert earlier[1] == ""
    assert all(earlier[number].startswith(said) for number, said in SAID.items())


def test_the_card_says_what_its_folds_say(make_settings):
    record = {
        "items": {"training": ["a"]}, "best_epochs_of_folds": {"1": 3}, "expected_side": "test", "expected_note": "Mean.",
        "expected": {"accuracy": {"mean": 1.0, "std": None, "n": 1}}, "class_names": ["no"], "n_parameters": 1, "versions": {},
        "instance": 1, "settings_hash": "s", "code_hash": "c", "folds_hash": "f", "n_training_clips": 2, "epochs": 4,
        "epochs_chosen_by": "folds", "seed": 7, "store": "x",
    }  # fmt: skip
    settings = make_settings(dataset="demo")

    assert "unknown origin" not in describe_model(record, settings)
    card = describe_model(record | {"expected_origin": to_record(judge_record({}, ONNX))}, settings)
    assert f"**{UNKNOWN}onnx:encoder.onnx (its training data are not known).**" in card
