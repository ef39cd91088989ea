"""The audit of a finished experiment: everything in order, and each rule seen failing, with the name of the culprit."""

import io
import json
import shutil
import zipfile
from copy import deepcopy

import h5py
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from preprocessing import corpus
from preprocessing.store import open_store
from preprocessing.store.checksums import write_checksums
from xval.audit import RULES, audit
from xval.audit.evidence import Evidence
from xval.audit.files import FILES
from xval.audit.verdict import Findings
from xval.errors import XvalError
from xval.folds.split import FoldPlan
from xval.inference import load_model
from xval.results.folder import ExperimentFolder
from xval.results.read import read_folds


def predictions_of(folder):
    return pd.read_parquet(folder / "predictions.parquet")


def change_predictions(folder, change):
    change(predictions_of(folder)).to_parquet(folder / "predictions.parquet", index=False)


def change_model(path, change):
    """Let a function change the HDF5 file in a .keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        change(file["layers/batch_normalization/vars"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)


def write_folds(copy, change):
    """Change folds.json and give it the hash of its new content."""
    content = copy.edit(copy.results / "folds.json", change)
    copy.edit(copy.results / "folds.json", lambda written: written.update(hash=FoldPlan.from_dict(content).hash))
    return content


def write_corpus(copy, change):
    """Let a function change the index, and write it as preprocessing would; the results and stores are made to name it."""
    opened = corpus.open_corpus("tones", copy.data)
    made = corpus.write_index(
        change(opened.index), folder=copy.corpus, corpus="table", audio_folder=opened.audio_folder,
        task_type="classification", class_names=opened.class_names,
    )  # fmt: skip
    content = write_folds(copy, lambda written: written.update(index_hash=made.index_hash))
    written = json.loads((copy.results / "folds.json").read_text())["hash"]
    for path in copy.results.glob("instance_*/fold_*/record.json"):
        copy.edit(path, lambda record: record.update(folds_hash=written))
    for path in copy.corpus.glob("features/*/store.json"):
        copy.edit(path, lambda store: store.update(index_hash=made.index_hash))
        write_checksums(path.parent)
    return content


# in order


def test_every_rule_is_ok_where_nothing_is_wrong(copy):
    verdicts = copy.audit()

    assert {rule: verdict.state for rule, verdict in verdicts.items()} == {rule.name: "ok" for rule in RULES}
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
        "files", "figures", "items", "earlier models", "members", "folds hash", "settings hash", "code hash", "seeds",
        "repeats", "thresholds",
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
    (copy.results / "instance_1" / "metrics.json").unlink()
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


# each rule broken


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
        FILES.check(evidence, findings)
        try:
            load_model(copy.fold()).predict(np.ones(8000, np.float32), sample_rate_hz=8000)
        except XvalError:
            n_refused += 1
            wrong += [] if findings.faults else [(where, value)]
        else:
            wrong += findings.faults if where == () else []

    assert wrong == []
    assert n_refused > N_ALTERED // 2


def test_a_flipped_bit_in_a_store_is_named(copy):
    (store, *_) = sorted((copy.corpus / "features").glob("*/store.json"))
    path = next((store.parent / "predictors").iterdir())
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)

    assert copy.only_failure() == ("files", f"{path}: not as it was written (another checksum)")
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


def test_an_item_of_a_record_on_another_side(copy):
    def move(record):
        record["items"]["test"].append(record["items"]["training"][0])

    moved = copy.edit(copy.fold(2, 1) / "record.json", move)["items"]["training"][0]

    verdicts = copy.audit()

    assert verdicts["items"].faults == (
        f"instance 2, fold 1: '{moved}' is on the training and on the test side",
        f"instance 2, fold 1: the test items of its record and of folds.json differ in '{moved}'",
    )
    # Others see it too: its clips are not tested, and the model has seen it.
    failed = {rule for rule, verdict in verdicts.items() if verdict.state == "FAILED"}
    assert failed == {"items", "clips", "seen audio", "earlier models"}


def test_an_item_that_folds_json_does_not_have(copy):
    copy.edit(copy.fold(2, 1) / "record.json", lambda record: record["items"]["test"].append("nobody"))

    assert copy.only_failure() == (
        "items", "instance 2, fold 1: the test items of its record and of folds.json differ in 'nobody'"
    )  # fmt: skip


def test_an_item_that_two_folds_test(copy):
    def test_twice(written):
        first, second = written["folds"]
        first["test"].append(second["test"][0])
        for side in ("training", "validation"):
            first[side] = [item for item in first[side] if item != second["test"][0]]

    item = write_folds(copy, test_twice)["folds"][1]["test"][0]

    assert f"folds.json: '{item}' is tested in several folds" in copy.audit()["items"].faults


@pytest.mark.parametrize(
    ("file", "change", "rule", "fault"),
    [
        ("folds.json", lambda written: written["folds"][0]["training"].reverse(), "folds hash", "it has been edited"),
        (
            "instance_3/fold_2/record.json", lambda record: record.update(folds_hash="0" * 16),
            "folds hash", "instance 3, fold 2: was run on folds 0000000000000000",
        ),
        (
            "instance_2/settings.json", lambda written: written["parameters"].update(learning_rate=0.5),
            "settings hash", "instance 2: the parameters in settings.json",
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


@pytest.mark.parametrize("side", ["validation", "test"])
def test_a_clip_of_another_item_among_the_predictions(copy, side):
    def relabel(table):
        row = table.index[table["side"] == side][0]
        table.loc[row, ["item", "clip"]] = [item, clip]
        return table

    store = open_store(copy.corpus / "features" / copy.record()["store"])
    item = copy.record()["items"]["training"][0]
    clip = store.examples.loc[(store.examples["item"] == item) & ~store.examples["augmented"], "clip"].iloc[0]
    change_predictions(copy.fold(), relabel)

    assert f"instance 1, fold 1: {side} has clip '{clip}' of '{item}', no {side} item" in copy.faults_of_only("clips")


def test_a_training_clip_that_is_tested_under_the_name_of_a_test_item(copy):
    def swap(table):
        table.loc[table.index[table["side"] == "test"][0], "clip"] = clip
        return table

    clip = f"{copy.record()['items']['training'][0]}_1.wav"
    change_predictions(copy.fold(), swap)

    assert f"'{clip} of {clip.removesuffix('_1.wav')}'" in copy.faults_of_only("clips")


@pytest.mark.parametrize(("instance", "what"), [(1, "stored features"), (2, "waveforms")])
def test_a_clip_that_was_left_out(copy, instance, what):
    clip = f"{copy.record()['items']['test'][0]}_3.wav"
    change_predictions(copy.fold(instance), lambda table: table[table["clip"] != clip])

    assert copy.only_failure() == ("clips", f"instance {instance}, fold 1: clip '{clip}' is missing from the test predictions")


def test_last_windows_of_waveforms_that_were_left_out(copy):
    path = copy.results / "instance_2" / "settings.json"
    copy.edit(path, lambda written: written["parameters"].update(example_length_s=0.1, example_overlap=0.0))

    verdict = copy.audit()["clips"]

    assert verdict.state == "FAILED"
    assert {fault[:18] for fault in verdict.faults} == {"instance 2, fold 1", "instance 2, fold 2"}
    assert all(": examples of 'speaker_" in fault and " are missing from the " in fault for fault in verdict.faults)


def test_predictions_without_the_numbers_of_their_examples(copy):
    change_predictions(copy.fold(), lambda table: table.rename(columns={"row": "nan"}))

    verdict = copy.audit()["clips"]

    assert verdict.state == "FAILED"
    assert all("instance 1, fold 1: examples of" in fault for fault in verdict.faults)


def test_a_clip_that_counts_twice(copy):
    change_predictions(copy.fold(), lambda table: pd.concat([table, table[table["side"] == "test"].head(1)]))
    clip = predictions_of(copy.fold())["clip"].iloc[-1]

    assert copy.only_failure() == ("clips", f"instance 1, fold 1: clip '{clip}' is in the test predictions twice")


def test_an_augmented_copy_that_is_tested(copy):
    def add(table):
        row = table[table["side"] == "test"].head(1)
        added = row.assign(clip="copy_of_" + row["item"] + "_0.wav", row=99)
        return pd.concat([table, added])

    change_predictions(copy.fold(), add)

    faults = copy.faults_of_only("augmented copies")

    item = predictions_of(copy.fold())["item"].iloc[-1]
    assert faults == f"instance 1, fold 1: the augmented copy 'copy_of_{item}_0.wav' is in the test predictions"


def test_an_augmented_copy_on_another_side_than_its_source(copy):
    items = copy.record()["items"]
    source, clip = f"{items['test'][0]}_0.wav", f"copy_of_{items['training'][0]}_0.wav"

    def mislead(index):
        index.loc[index["clip"] == clip, "source_clip"] = source
        return index

    write_corpus(copy, mislead)

    assert (
        f"fold 1: copies of one source clip: test: 'copy_of_{source}', '{source}'; training: '{clip}'"
        in copy.faults_of_only("augmented copies")
    )


def test_identical_audio_on_two_sides(copy):
    items = copy.record()["items"]
    tested, trained = f"{items['test'][0]}_1.wav", f"{items['training'][0]}_1.wav"

    def copy_hash(index):
        hashes = index.set_index("clip")["audio_hash"]
        index.loc[index["clip"] == tested, "audio_hash"] = hashes[trained]
        return index

    write_corpus(copy, copy_hash)

    verdicts = copy.audit()
    assert {rule for rule, verdict in verdicts.items() if verdict.state == "FAILED"} == {"identical audio", "seen audio"}
    assert f"fold 1: identical audio: test: '{tested}'; training: '{trained}'" in verdicts["identical audio"].faults
    assert f"instance 1, fold 1: its model has seen the audio of the tested clip '{tested}'" in verdicts["seen audio"].faults


@pytest.mark.parametrize("instance", [1, 3])
def test_a_tested_clip_among_what_a_model_has_seen(copy, instance):
    opened = corpus.open_corpus("tones", copy.data)
    clip = f"{copy.record()['items']['test'][0]}_2.wav"
    number = int(opened.index.set_index("clip")["audio_hash"][clip][:16], 16)
    path = copy.fold(instance) / "seen_audio.npy"
    np.save(path, np.sort(np.append(np.load(path), np.uint64(number))))

    assert copy.only_failure() == (
        "seen audio", f"instance {instance}, fold 1: its model has seen the audio of the tested clip '{clip}'"
    )  # fmt: skip


def test_a_validation_clip_among_what_trained_a_model(copy):
    shutil.copy(copy.fold() / "seen_audio.npy", copy.fold() / "trained_audio.npy")
    assert "instance 1, fold 1: its model was trained on the audio of clip '" in copy.faults_of_only("seen audio")


def test_a_training_clip_that_is_missing_from_what_a_model_has_seen(copy):
    path = copy.fold() / "seen_audio.npy"
    np.save(path, np.load(path)[1:])

    assert "instance 1, fold 1: seen_audio.npy lacks clip '" in copy.faults_of_only("seen audio")


def test_without_its_seen_audio_a_model_is_not_checkable(copy):
    (copy.fold() / "seen_audio.npy").unlink()

    verdict = copy.audit()["seen audio"]

    assert (verdict.state, verdict.n_checked) == ("not checkable", 5)
    assert "instance 1, fold 1: no seen_audio.npy" in verdict.not_checkable[0]


@pytest.mark.parametrize("instance", [1, 2])
def test_a_normaliser_that_was_changed(copy, instance):
    def shift(variables):
        variables["0"][...] += 0.01 * np.sqrt(variables["1"][...])

    change_model(copy.fold(instance) / "model.keras", shift)

    assert (
        f"instance {instance}, fold 1: the statistics of its model are not those of its training items"
        in copy.faults_of_only("normaliser")
    )


@pytest.mark.parametrize(
    ("sides", "whose"),
    [
        (("training", "test"), "training and test items"),
        (("training", "validation"), "training and validation items"),
        (("training", "validation", "test"), "all items"),
    ],
)
def test_a_normaliser_of_other_items_is_told_by_them(copy, sides, whose):
    record = copy.record()
    store = open_store(copy.corpus / "features" / record["store"])
    mean, variance = store.moments([item for side in sides for item in record["items"][side]]).scaling("per_bin")

    def leak(variables):
        variables["0"][...], variables["1"][...] = mean, variance

    change_model(copy.fold() / "model.keras", leak)

    assert copy.only_failure() == (
        "normaliser", f"instance 1, fold 1: the statistics of its model are those of {whose}, not those of its training items"
    )  # fmt: skip


def test_a_model_with_statistics_that_ought_to_have_none(copy):
    shutil.copy(copy.fold(1) / "model.keras", copy.fold(3) / "model.keras")

    assert "instance 3, fold 1: normalization=per_clip, but its model has statistics" in copy.faults_of_only("normaliser")


def test_a_model_that_has_seen_a_tested_item(copy):
    item = copy.record()["items"]["test"][0]
    copy.edit(copy.fold(3) / "model.json", lambda content: content["seen_items"]["tones"].append(item))

    faults = copy.faults_of_only("earlier models")

    assert faults == f"instance 3, fold 1: its model, or one that it was made of, has seen the tested '{item}'"


def test_a_model_that_was_trained_on_a_validation_item(copy):
    item = copy.record()["items"]["validation"][0]
    copy.edit(copy.fold(3) / "model.json", lambda content: content["trained_items"]["tones"].append(item))
    fault = f"instance 3, fold 1: its model, or one that it was made of, was trained on '{item}', which validates"
    assert copy.faults_of_only("earlier models") == fault


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"initial_model_items": "unknown"}, "its initial model: nothing says what it was trained on"),
        ({"initial_model_items": "unknown", "initial_model_reason": "nobody knows"}, "its initial model: nobody knows"),
        ({"models": [{"path": "a.keras", "leakage": "unknown", "leakage_reason": "nobody knows"}]}, "a.keras: nobody knows"),
        ({"models": [{"path": "a.keras"}]}, "a.keras: nothing says what it has seen"),
    ],
)
def test_an_earlier_model_of_which_nothing_is_known(copy, change, reason):
    copy.edit(copy.fold(3) / "record.json", lambda record: record.update(change))

    verdict = copy.audit()["earlier models"]

    assert verdict.state == "not checkable"
    assert verdict.not_checkable == (f"instance 3, fold 1: {reason}",)


def test_an_initial_model_of_which_the_record_says_nothing(copy):
    path = copy.results / "instance_3" / "settings.json"
    copy.edit(path, lambda written: written["parameters"].update(initial_model="a.keras"))

    verdict = copy.audit()["earlier models"]

    assert verdict.state == "not checkable"
    reason = "its initial model: nothing says what it was trained on"
    assert verdict.not_checkable == (f"instance 3, fold 1; instance 3, fold 2: {reason}",)


def test_a_corpus_that_was_prepared_anew_with_other_clips(copy):
    opened = corpus.open_corpus("tones", copy.data)
    corpus.write_index(
        opened.index.iloc[1:], folder=copy.corpus, corpus="table", audio_folder=opened.audio_folder,
        task_type="classification", class_names=opened.class_names,
    )  # fmt: skip

    faults = copy.faults_of_only("corpus hash")

    assert "the folds were made from" in faults
    assert copy.audit()["clips"].state == "not checkable"


def test_a_corpus_that_was_edited_under_its_hash(copy):
    path = copy.corpus / "corpus.parquet"
    table = parquet.read_table(path)
    column = table.schema.get_field_index("label")
    swapped = ["low" if label == "high" else "high" for label in table["label"].to_pylist()]
    edited = table.set_column(column, table.schema.field("label"), [swapped])
    parquet.write_table(edited.replace_schema_metadata(table.schema.metadata), path)

    assert "it has been edited" in copy.faults_of_only("corpus hash")


def test_several_versions_of_the_code_are_a_warning(copy):
    copy.edit(copy.fold(1, 2) / "record.json", lambda record: record.update(code_hash="e" * 16))

    verdict = copy.audit()["code hash"]

    assert verdict.state == "warning"
    assert f"code/{'e' * 16}: instance 1, fold 2" in verdict.warnings


def test_a_random_split_is_a_warning(copy):
    def split(index):
        originals = ~index["augmented"]
        index["item"] = index["item"].where(~originals, index["clip"])
        return index

    write_corpus(copy, split)

    verdict = copy.audit()["random split"]

    assert verdict.state == "warning"
    assert "every clip is an item of its own (24 clips): a random split" in verdict.warnings[0]


# the files


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
