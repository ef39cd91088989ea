"""A review without its page: verdicts, undo, a second start, two reviewers, moved audio."""

from dataclasses import replace

import pytest

from preprocessing.clips.corrections import BAD, RIGHT, UNSURE, WRONG, read_verdicts
from xval.base.errors import CorpusError, SettingsError


def other_label(review, number):
    names = [label["name"] for label in review.state()["labels"]]
    return next(place for place, name in enumerate(names) if name != review.suspects[number].label)


def test_verdicts_are_written_one_by_one_and_the_next_start_continues(make_review):
    review = make_review()
    assert review.state()["next"] == 0

    review.judge(0, RIGHT)
    state = review.judge(1, WRONG, other_label(review, 1))

    assert state["next"] == 2
    assert state["verdicts"] == {0: RIGHT, 1: f"wrong: {review.suspects[1].answer}"}
    (first, second) = read_verdicts(review.path)
    assert (first.clip, first.old, first.new, first.who) == (review.suspects[0].clip, review.suspects[0].label, "", "ann")
    assert (second.new, second.why) == (review.suspects[1].answer, review.suspects[1].why)
    assert make_review().state() == state


def test_undo_takes_back_the_last_verdict_also_after_a_new_start(make_review):
    review = make_review()
    for number in (3, 1, 2):
        review.judge(number, UNSURE)

    assert review.undo()["undone"] == 2
    later = make_review()
    assert [later.undo()["undone"] for _ in range(3)] == [1, 3, None]
    assert read_verdicts(review.path) == []


def test_a_second_verdict_replaces_the_first_and_is_the_last(make_review):
    review = make_review()
    review.judge(0, RIGHT)
    review.judge(1, RIGHT)

    review.judge(0, BAD)

    assert [(row.clip, row.verdict) for row in read_verdicts(review.path)] == [
        (review.suspects[1].clip, RIGHT),
        (review.suspects[0].clip, BAD),
    ]
    assert review.undo()["undone"] == 0


def test_a_verdict_on_another_version_of_the_corpus_stays_and_is_counted(make_review):
    review = make_review()
    review.judge(0, BAD)
    (earlier,) = read_verdicts(review.path)
    review.path.write_text(review.path.read_text().replace(earlier.index_hash, "0" * 32))
    (earlier,) = read_verdicts(review.path)

    state = review.judge(0, UNSURE)

    assert state["verdicts"] == {0: UNSURE}
    assert [row.verdict for row in read_verdicts(review.path)] == [BAD, UNSURE]
    assert review.count_other_versions() == 1
    review.undo()
    review.undo()
    assert read_verdicts(review.path) == [earlier]


def test_one_name_in_two_forms_of_unicode_is_one_reviewer(make_review):
    make_review("Zoe\u0301").judge(0, "right")
    again = make_review(" Zo\u00e9 ")
    again.judge(0, "bad recording")

    assert [verdict.verdict for verdict in read_verdicts(again.path)] == ["bad recording"]


def test_two_reviewers_see_no_verdict_of_the_other_but_how_far_they_agree(make_review):
    ann, bo = make_review("ann"), make_review("bo")
    for number in range(4):
        ann.judge(number, RIGHT if number % 2 else BAD)
        assert number not in bo.state()["verdicts"]
        bo.judge(number, RIGHT if number in (1, 2, 3) else BAD)

    agreement = "ann and bo: 4 clips judged by both, 3 with the same verdict, Cohen's kappa needs at least 10 clips."
    assert bo.state()["agreement"] == [agreement]
    assert make_review("cy").state()["agreement"] == []
    assert bo.undo()["undone"] == 3
    assert len(ann.state()["verdicts"]) == 4


def test_undo_in_one_of_two_windows_leaves_the_verdict_of_the_other(make_review):
    review = make_review()
    review.judge(0, RIGHT)
    review.judge(5, BAD)  # in the other window

    assert review.undo(0)["undone"] == 0
    assert [row.clip for row in read_verdicts(review.path)] == [review.suspects[5].clip]
    assert review.undo(0)["undone"] is None


@pytest.mark.parametrize(
    ("number", "verdict", "label"),
    [
        (-1, RIGHT, None),
        (10**6, RIGHT, None),
        (0, "rihgt", None),
        (0, WRONG, None),
        (0, RIGHT, 1),
        (0, WRONG, 99),
        (0, WRONG, -1),
    ],
)
def test_what_no_page_sends_is_refused_and_writes_nothing(make_review, number, verdict, label):
    review = make_review()

    with pytest.raises(SettingsError, match="expected"):
        review.judge(number, verdict, label)

    assert not review.path.exists()


def test_a_suspect_has_audio_picture_and_clips_to_compare_with(make_review):
    review = make_review()

    shown = review.show(0)

    assert shown["audio"].startswith("data:audio/")
    assert shown["picture"].startswith("data:image/png;base64,")
    assert [other["label"] for other in shown["others"]] == [shown["label"]] + [shown["answer"]] * 2
    assert all(other["audio"] for other in shown["others"])


def test_where_the_audio_was_moved_the_stored_features_are_shown(make_review, tmp_path):
    review = make_review()
    moved = make_review(corpus=replace(review.corpus, audio_folder=tmp_path / "gone"))

    shown = moved.show(0)

    assert not shown["audio"]
    assert shown["picture"].startswith("data:image/png;base64,")
    assert "gone" in shown["note"]
    assert "--audio-folder" in shown["note"]
    assert "The picture is of the stored features." in shown["note"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x1bb"])
def test_a_reviewer_needs_a_name_that_can_be_written(make_review, name):
    with pytest.raises((SettingsError, CorpusError), match=r"--reviewer|Reviewers"):
        make_review(name)


def test_damaged_verdicts_are_reported_before_anything_is_shown(make_review):
    review = make_review()
    review.path.write_text("damaged\n")

    with pytest.raises(CorpusError, match="cannot be read as verdicts of a review"):
        make_review()
