"""The card of a final model."""

from xval.report.model_card import CARD_NAME, write_card

FIGURE = {"mean": 0.7, "std": 0.1, "n": 3}


def test_the_card_says_that_the_model_is_untested_and_what_the_folds_expect(tmp_path, make_settings):
    record = {
        "items": {"training": ["anna", "bob"]},
        "best_epochs_of_folds": {"1": 3, "2": 4, "3": 5},
        "expected": {"accuracy": FIGURE, "auc": FIGURE | {"mean": None}},
        "expected_intervals": {"accuracy": " [0.410, 0.880]"},
        "expected_about": "over items and seeds",
        "expected_side": "clip_test",
        "expected_note": "Mean and deviation over the folds.",
        "class_names": ["no", "<b>yes*</b>"],
        "n_parameters": 12345,
        "versions": {"keras": "3.15.1"},
        "instance": 4,
        "settings_hash": "s",
        "code_hash": "c",
        "folds_hash": "f",
        "n_training_clips": 20,
        "epochs": 4,
        "epochs_chosen_by": "folds",
        "seed": 7,
        "store": "0123456789abcdef",
    }

    write_card(tmp_path, record, make_settings(dataset="demo", comment_1="a | b"))

    card = (tmp_path / CARD_NAME).read_text(encoding="utf-8")
    assert "untested" in card
    assert "| test clip accuracy | 0.700 ± 0.100 [0.410, 0.880] |" in card
    assert "The intervals are over items and seeds." in card
    assert "auc" not in card
    assert "2 classes: no, &lt;b&gt;yes\\*&lt;/b&gt;" in card
    assert "12,345 parameters" in card
    assert "a \\| b" in card
    assert "- Input: audio at any sample rate, resampled to 16000 Hz" in card

    assert "scaled" not in card
    for enrolment_s, sentence in (
        (None, "- Features were scaled for each patient by its own clips, of tested ones too, without labels (transductive"),
        (10, "those of a tested patient by its first clips of at least 10 s together, which are not tested themselves"),
    ):
        scaled = make_settings(dataset="demo", normalization="per_item", enrolment_s=enrolment_s)
        write_card(tmp_path, record, scaled, item_word="patient")
        assert sentence in (tmp_path / CARD_NAME).read_text(encoding="utf-8")

    write_card(tmp_path, record | {"store": "custom"}, make_settings(dataset="arrays"))

    assert " Hz" not in (tmp_path / CARD_NAME).read_text(encoding="utf-8")
    assert "All 2 items of the dataset demo (20 clips), for\n4 epochs" in card
