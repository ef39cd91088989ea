"""The audit of a finished experiment: everything in order, and damage and edits seen, with the name of the file."""

import json
import shutil
from copy import deepcopy

import numpy as np
import pytest
from pyarrow import parquet

from preprocessing import corpus
from xval.answers.audit import audit
from xval.answers.audit.evidence import Evidence
from xval.answers.audit.files import _check as check_files
from xval.answers.audit.verdict import Findings
from xval.base.errors import XvalError
from xval.base.findings import rules_of
from xval.results.folder import ExperimentFolder
from xval.results.read import read_folds
from xval.reuse.inference import load_model


def test_every_rule_is_ok_where_nothing_is_wrong(copy):
    verdicts = copy.audit()

    assert {rule: verdict.state for rule, verdict in verdicts.items()} == {
        rule.findings[0].slug: "ok" for rule in rules_of("xval.answers.audit")
    }
    assert not [
        fault for verdict in verdicts.values() for fault in (*verdict.faults, *verdict.not_checkable, *verdict.warnings)
    ]
    n_folds = {rule: verdicts[rule].n_checked for rule in ("files", "clips", "seen audio", "normaliser", "earlier models")}
    assert set(n_folds.values()) == {6}
    assert any("each example is scaled by itself" in note for note in verdicts["normaliser"].notes)


def test_without_the_corpus_what_needs_it_is_not_checkable_and_says_so(copy):
    shutil.rmtree(copy.corpus)

    verdicts = copy.audit()

    assert {rule for rule, verdict in verdicts.items() if verdict.state == "ok"} == {
        "files", "scores", "items", "earlier models", "members", "folds hash", "settings hash", "code hash", "seeds",
        "repeats", "model files", "thresholds",
    }  # fmt: skip
    others = [verdict for verdict in verdicts.values() if verdict.state != "ok"]
    assert {verdict.state for verdict in others} == {"not checkable"}
    assert all("--data-folder" in " ".join(verdict.not_checkable) for verdict in others)


def test_a_feature_store_that_is_gone_leaves_its_folds_unchecked(copy):
    shutil.rmtree(copy.corpus / "features" / copy.record()["store"])

    verdicts = copy.audit()

    assert {rule for rule, verdict in verdicts.items() if verdict.state == "not checkable"} == {"clips", "normaliser"}
    assert "instance 1, fold 1; instance 1, fold 2: its feature store" in verdicts["normaliser"].not_checkable[0]
    assert verdicts["normaliser"].n_checked == 4  # waveforms have a store of their own, and per_clip needs none


def test_of_a_half_done_experiment_only_finished_folds_count(copy):
    shutil.rmtree(copy.fold(1, 2))
    failed = copy.record() | {"status": "failed", "error": "out of memory"}
    (copy.fold(1, 1) / "record.json").write_text(json.dumps(failed))
    (copy.results / "instance_1" / "estimates.json").unlink()
    shutil.rmtree(copy.results / "instance_3")

    verdicts = copy.audit()

    assert {verdict.state for verdict in verdicts.values()} == {"ok"}
    assert verdicts["clips"].n_checked == 2


def test_of_an_experiment_without_results_nothing_is_ok_but_its_folds(copy):
    for instance in (1, 2, 3):
        for fold in (1, 2):
            shutil.rmtree(copy.fold(instance, fold))

    states = {rule: verdict.state for rule, verdict in copy.audit().items()}

    assert states["items"] == "ok"
    assert {states[rule] for rule in ("files", "clips", "seen audio", "normaliser", "seeds")} == {"not checkable"}


def test_a_damaged_record_is_named(copy):
    (copy.fold(2, 1) / "record.json").write_text('{"status": "do')

    assert str(copy.fold(2, 1) / "record.json") in copy.faults_of_only("files")


@pytest.mark.parametrize("name", ["predictions.parquet", "model.json", "model.keras", "history.csv", "seen_audio.npy"])
def test_a_missing_file_is_named_with_the_remedy(copy, name):
    (copy.fold(1, 2) / name).unlink()

    remedy = f"Move {copy.fold(1, 2)} away and run the experiment again."
    assert copy.only_failure() == ("files", f"instance 1, fold 2: {name} is missing. {remedy}")


DELETED, N_ALTERED = object(), 40
ALTERED = (DELETED, None, "x", [], 10**400, -1, 0, 3, [[1]], {"a": 1}, 1e308, True, "\ud800")


def keys_of(value, above=()):
    """Yield where each value of a JSON object stands; of a list its first one."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ():
        yield (*above, key)
        yield from keys_of(each, (*above, key))


def test_what_predict_refuses_of_a_model_json_check_refuses_too(copy):
    model = copy.fold() / "model.json"
    good = json.loads(model.read_text())
    evidence = Evidence(ExperimentFolder(copy.results), copy.data)
    evidence.jobs = evidence.jobs[:1]
    changes = [(where, value) for where in keys_of(good) for value in ALTERED]
    changes.remove((("scaled_by_item",), True))  # no damage: such a model wants to know whose clips it reads
    chosen = [changes[number] for number in np.random.default_rng(16).permutation(len(changes))[:N_ALTERED]]
    own = [(("feature_settings", "hop_length"), 3), (("clip_samples",), 3), (("is_custom",), True), (("architecture",), "x"),
           (("class_names", 0), DELETED), (("feature_settings", "window"), "x"), (("class_names", 0), "\ud800")]  # fmt: skip
    n_refused, wrong = 0, []
    for where, value in [((), None), *chosen, *own]:
        content = parent = deepcopy(good)
        for key in where[:-1]:
            parent = parent[key]
        if value is DELETED:
            del parent[where[-1]]
        elif where:
            parent[where[-1]] = value
        model.write_text(json.dumps(content))
        findings = Findings()
        check_files.find(evidence, findings)
        try:
            load_model(copy.fold()).predict(np.ones(8000, np.float32), sample_rate_hz=8000)
        except XvalError:
            n_refused += 1
            wrong += [] if findings.found else [(where, value)]
        else:
            wrong += findings.found if where == () else []

    assert wrong == []
    assert n_refused > N_ALTERED // 2


def test_a_flipped_bit_in_a_store_is_named(copy):
    (store, *_) = sorted((copy.corpus / "features").glob("*/store.json"))
    path = store.parent / "predictors.npy"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)

    assert copy.only_failure() == ("files", f"{path}: changed since it was written (another checksum)")
    (store.parent / "checksums.json").unlink()
    assert f"{store.parent} was made without checksums" in copy.audit()["files"].warnings[0]


def test_a_damaged_file_is_named_and_what_needs_it_not_checkable(copy):
    path = copy.fold(1, 2) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-100])

    verdicts = copy.audit()

    assert verdicts["files"].state == "FAILED"
    assert "instance 1, fold 2: predictions.parquet is damaged" in verdicts["files"].faults[0]
    assert verdicts["clips"].state == verdicts["augmented copies"].state == "not checkable"
    assert verdicts["clips"].n_checked == 5


@pytest.mark.parametrize(
    ("file", "change", "rule", "fault"),
    [
        (
            "folds.json", lambda written: written["folds"][0]["training"].reverse(),
            "folds hash", "folds.json has been edited: its folds",
        ),
        (
            "instance_3/fold_2/record.json", lambda record: record.update(folds_hash="0" * 16),
            "folds hash", "instance 3, fold 2: was run on folds 0000000000000000",
        ),
        (
            "instance_2/settings.json", lambda written: written["parameters"].update(learning_rate=0.5),
            "settings hash", "instance 2: settings.json has been edited: its settings",
        ),
        (
            "instance_1/fold_2/record.json", lambda record: record.update(settings_hash="f" * 16),
            "settings hash", "instance 1, fold 2: was run with settings ffffffffffffffff",
        ),
        ("instance_3/fold_1/record.json", lambda record: record.update(seed=1), "seeds", "instance 3, fold 1: has the seed 1"),
    ],
)  # fmt: skip
def test_a_file_that_was_edited(copy, file, change, rule, fault):
    copy.edit(copy.results / file, change)

    assert fault in copy.faults_of_only(rule)


def test_a_corpus_that_was_prepared_anew_with_other_clips(copy):
    opened = corpus.open_corpus("tones", copy.data)
    corpus.write_index(
        opened.index.iloc[1:], folder=copy.corpus, corpus="table", audio_folder=opened.audio_folder,
        task_type="classification", class_names=opened.class_names,
    )  # fmt: skip

    faults = copy.faults_of_only("corpus hash")

    assert "the folds were made" in faults
    assert copy.audit()["clips"].state == "not checkable"


def test_a_corpus_that_was_edited_under_its_hash(copy):
    path = copy.corpus / "corpus.parquet"
    table = parquet.read_table(path)
    column = table.schema.get_field_index("label")
    swapped = ["low" if label == "high" else "high" for label in table["label"].to_pylist()]
    edited = table.set_column(column, table.schema.field("label"), [swapped])
    parquet.write_table(edited.replace_schema_metadata(table.schema.metadata), path)

    assert "its index has been edited: it has the hash" in copy.faults_of_only("corpus hash")


def test_several_versions_of_the_code_are_a_warning(copy):
    copy.edit(copy.fold(1, 2) / "record.json", lambda record: record.update(code_hash="e" * 16))

    verdict = copy.audit()["code hash"]

    assert verdict.state == "warning"
    assert f"code/{'e' * 16}: instance 1, fold 2" in verdict.warnings


def test_a_change_of_xval_itself_is_a_note_and_an_edited_architecture_a_fault(copy):
    (code,) = (copy.results / "code").iterdir()
    (code / "xval" / "further.py").write_text("")

    verdict = copy.audit()["code hash"]

    assert verdict.state == "ok"
    assert any(f"xval itself has changed since folds ran (code/{code.name})" in note for note in verdict.notes)
    own = copy.record()["own_code"] | {"architectures.mlp:build": "1" * 16}
    copy.edit(copy.fold(1, 2) / "record.json", lambda record: record.update(own_code=own))
    assert "instance 1, fold 2: ran on different code than the current one: " in copy.faults_of_only("code hash")


def test_damaged_settings_and_folds_do_not_stop_the_audit(copy):
    (copy.results / "instance_1" / "settings.json").write_text("[]")
    (copy.results / "folds.json").write_text('{"folds": 3}')

    verdicts = copy.audit()

    assert len(verdicts["files"].faults) == 2
    assert verdicts["folds hash"].state == "not checkable"
    assert verdicts["settings hash"].n_checked == 4


def test_an_audit_changes_nothing(copy):
    def state():
        paths = [*copy.results.rglob("*"), *copy.data.rglob("*")]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}

    before = state()
    audit(ExperimentFolder(copy.results), copy.data)

    assert state() == before
    assert read_folds(ExperimentFolder(copy.results)).numbers == [1, 2]


def test_settings_without_a_seed_are_damage_and_do_not_stop_the_audit(copy):
    copy.edit(copy.results / "instance_1" / "settings.json", lambda written: written["parameters"].pop("seed"))

    verdicts = copy.audit()

    assert "settings.json: damaged, 'seed' is missing." in verdicts["files"].faults[0]
    assert verdicts["seeds"].state == "not checkable"
    assert verdicts["seeds"].n_checked == 4
