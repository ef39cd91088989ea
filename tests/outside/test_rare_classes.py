"""Classes that few items have: all of them are named, so that one round of recording is enough."""

import numpy as np


def write_corpus(study, speakers_of):
    """Write a corpus in which some speakers have a class besides the class 'well' that all have."""
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    predictors = {f"s{item}": rng.normal(size=(8, 6, 4)).astype("float32") for item in range(8)}
    targets = {}
    for place, item in enumerate(predictors):
        own = [name for name, places in speakers_of.items() if place in places]
        targets[item] = [own[clip // 2 % len(own)] if own and clip % 2 else "well" for clip in range(8)]
    write("small", predictors, targets, data_folder=study.folder / "data")


def details(study):
    study.train({"architecture": "logistic", "C": (1.0,)}, num_folds=4, item_name="speaker")
    return " ".join(study.run("--details").stdout.split())


def test_two_classes_of_as_few_speakers_are_both_named(empty):
    write_corpus(empty, {"ill": (0, 1, 2), "mild": (3, 4, 5)})
    text = details(empty)
    assert "Only 3 speakers each of the classes 'ill' and 'mild' were tested" in text
    assert "Record more speakers of the classes 'ill' and 'mild'; more clips of the same ones do not help." in text


def test_classes_of_different_numbers_of_speakers_are_named_with_their_numbers(empty):
    write_corpus(empty, {"ill": (0, 1, 2, 3), "mild": (4, 5, 6)})
    assert "Only 3 and 4 speakers of the classes 'mild' and 'ill' were tested" in details(empty)


def test_one_rare_class_is_named_alone(empty):
    write_corpus(empty, {"ill": (0, 1, 2)})
    assert "Only 3 speakers of the class 'ill' were tested" in details(empty)
