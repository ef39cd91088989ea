"""Items and clips on a wrong side, missing or counted twice: the audit names each of them."""

import pandas as pd
import pytest

from preprocessing.store import open_store


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


@pytest.mark.parametrize("strategy", ["balanced", "predefined", "my_folds.split"])
def test_an_item_that_two_folds_test(copy, strategy):
    def test_twice(written):
        written["settings"]["fold_strategy"] = strategy
        first, second = written["folds"]
        first["test"].append(second["test"][0])
        for side in ("training", "validation"):
            first[side] = [item for item in first[side] if item != second["test"][0]]

    item = copy.write_folds(test_twice)["folds"][1]["test"][0]

    assert f"folds.json: '{item}' is tested in several folds" in copy.audit()["items"].faults


@pytest.mark.parametrize("side", ["validation", "test"])
def test_a_clip_of_another_item_among_the_predictions(copy, side):
    def relabel(table):
        row = table.index[table["side"] == side][0]
        table.loc[row, ["item", "clip"]] = [item, clip]
        return table

    store = open_store(copy.corpus / "features" / copy.record()["store"])
    item = copy.record()["items"]["training"][0]
    clip = store.examples.loc[(store.examples["item"] == item) & ~store.examples["augmented"], "clip"].iloc[0]
    copy.change_predictions(relabel)

    assert f"instance 1, fold 1: {side} has clip '{clip}' of '{item}', no {side} item" in copy.faults_of_only("clips")


def test_a_training_clip_that_is_tested_under_the_name_of_a_test_item(copy):
    def swap(table):
        table.loc[table.index[table["side"] == "test"][0], "clip"] = clip
        return table

    clip = f"{copy.record()['items']['training'][0]}_1.wav"
    copy.change_predictions(swap)

    assert f"'{clip} of {clip.removesuffix('_1.wav')}'" in copy.faults_of_only("clips")


@pytest.mark.parametrize(("instance", "what"), [(1, "stored features"), (2, "waveforms")])
def test_a_clip_that_was_left_out(copy, instance, what):
    clip = f"{copy.record()['items']['test'][0]}_3.wav"
    copy.change_predictions(lambda table: table[table["clip"] != clip], instance)

    assert copy.only_failure() == ("clips", f"instance {instance}, fold 1: clip '{clip}' is missing from the test predictions")


def test_last_windows_of_waveforms_that_were_left_out(copy):
    path = copy.results / "instance_2" / "settings.json"
    copy.edit(path, lambda written: written["parameters"].update(example_length_s=0.1, example_overlap=0.0))

    verdict = copy.audit()["clips"]

    assert verdict.state == "FAILED"
    assert {fault[:18] for fault in verdict.faults} == {"instance 2, fold 1", "instance 2, fold 2"}
    assert all(": examples of 'speaker_" in fault and " are missing from the " in fault for fault in verdict.faults)


def test_predictions_without_the_numbers_of_their_examples(copy):
    copy.change_predictions(lambda table: table.rename(columns={"row": "nan"}))

    verdict = copy.audit()["clips"]

    assert verdict.state == "FAILED"
    assert all("instance 1, fold 1: examples of" in fault for fault in verdict.faults)


def test_a_clip_that_counts_twice(copy):
    copy.change_predictions(lambda table: pd.concat([table, table[table["side"] == "test"].head(1)]))
    clip = copy.predictions()["clip"].iloc[-1]

    assert copy.only_failure() == ("clips", f"instance 1, fold 1: clip '{clip}' is in the test predictions twice")


def test_an_augmented_copy_that_is_tested(copy):
    def add(table):
        row = table[table["side"] == "test"].head(1)
        added = row.assign(clip="copy_of_" + row["item"] + "_0.wav", row=99)
        return pd.concat([table, added])

    copy.change_predictions(add)

    faults = copy.faults_of_only("augmented copies")

    item = copy.predictions()["item"].iloc[-1]
    assert faults == f"instance 1, fold 1: the augmented copy 'copy_of_{item}_0.wav' is in the test predictions"


def test_an_augmented_copy_on_another_side_than_its_source(copy):
    items = copy.record()["items"]
    source, clip = f"{items['test'][0]}_0.wav", f"copy_of_{items['training'][0]}_0.wav"

    def mislead(index):
        index.loc[index["clip"] == clip, "source_clip"] = source
        return index

    copy.write_corpus(mislead)

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

    copy.write_corpus(copy_hash)

    verdicts = copy.audit()
    assert {rule for rule, verdict in verdicts.items() if verdict.state == "FAILED"} == {"identical audio", "seen audio"}
    assert f"fold 1: identical audio: test: '{tested}'; training: '{trained}'" in verdicts["identical audio"].faults
    assert f"instance 1, fold 1: its model has seen the audio of the tested clip '{tested}'" in verdicts["seen audio"].faults


def test_a_random_split_is_a_warning(copy):
    def split(index):
        originals = ~index["augmented"]
        index["item"] = index["item"].where(~originals, index["clip"])
        return index

    copy.write_corpus(split)

    verdict = copy.audit()["random split"]

    assert verdict.state == "warning"
    assert "each of the 24 items has one clip, which is a random split" in verdict.warnings[0]
