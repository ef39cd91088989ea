"""``xval sample-size``, as typed."""

import pytest

from xval.extras.sample_size.command import describe_needed
from xval.extras.sample_size.pilot import Pilots
from xval.measures.statistics.planning import Pilot


def test_the_number_to_record_is_below_the_table(command, tmp_path):
    ended = command(
        "sample-size", "--speakers", "10..60", "--clips", 20, "--difference", 0.06, "--output", tmp_path / "plan.svg"
    )

    assert (ended.code, ended.err) == (0, "")
    rows = [line.split() for line in ended.out.splitlines() if line[:1].isdigit() and len(line.split()) == 4]
    assert [int(row[0]) for row in rows] == list(range(10, 61, 5))
    least = {int(row[0]): float(row[3]) for row in rows}
    assert list(least.values()) == sorted(least.values(), reverse=True)
    (needed,) = [int(line.split()[1]) for line in ended.out.splitlines() if line.startswith("Record ")]
    below = (needed - 1) // 5 * 5
    above = below + 5
    assert least[above] <= 0.06 <= least[below]
    assert (tmp_path / "plan.svg").read_text().count("<path") > 10


def test_more_trainings_and_more_clips_need_fewer_speakers(command):
    def needed(*arguments):
        lines = command("sample-size", "--difference", 0.05, *arguments).out.splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Record "))

    assert needed("--clips", 60) < needed("--clips", 10)
    assert needed("--runs", 10) < needed("--runs", 3)


def test_a_difference_that_no_number_of_speakers_shows_is_reported(command):
    ended = command("sample-size", "--difference", 0.001)

    assert ended.code == 0
    assert "No number of actors shows a difference of 0.001" in ended.out
    assert "because the variance between trainings is larger" in ended.out


def test_more_speakers_than_are_tried_is_no_fault_of_training(command, results):
    ended = command("sample-size", "--from", f"{results}:1", "--baseline", 3, "--difference", 0.0001)

    assert ended.code == 0
    assert "More than 100,000 items are needed to show a difference of 0.0001" in " ".join(ended.out.split())
    assert "because the variance between trainings is larger" not in ended.out


def test_few_sentences_are_below_the_table():
    """The sentences are the number to record, and the number at the upper limit of the variance of the pilot."""
    pilot = Pilot.from_deviations(0.02, 0.4, 0.03, n_items=12, n_clips=20, n_runs=2)

    lines = describe_needed(Pilots("a pilot", "accuracy", "speaker", pilot, pilot), 0.3, 2, None)

    assert len(lines) == 2
    assert lines[0].startswith("Record ")
    assert "12 speakers estimate their variance roughly: at its upper 80 % limit," in lines[1]


def test_the_users_own_pilot_is_read(command, results):
    ended = command("sample-size", "--from", f"{results}:1", "--speakers", "12,24", "--baseline", 3, "--difference", 0.2)

    assert (ended.code, ended.err) == (0, "")
    first, *_ = ended.out.splitlines()
    assert first == f"Measured on {results}, instances 1 and 3: 6 items with 4 clips, trained 1 time. Standard deviations:"
    assert "The variance between trainings is unknown or 0, so" in ended.out
    assert [line.split()[0] for line in ended.out.splitlines() if line[:1].isdigit()][:2] == ["12", "24"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--speakers", "60..10"], "error: --speakers 60..10: expected numbers from 3 to 100000, as 10..60"),
        (["--speakers", "2"], "expected numbers from 3"),
        (["--speakers", "ten"], "expected numbers from 3"),
        (["--clips", "0"], "--clips 0: expected a whole number from 1"),
        (["--difference", "0"], "--difference 0: expected a number above 0"),
        (["--difference", "-0.1"], "--difference -0.1: expected a number above 0"),
        (["--difference", "5"], "--difference 5: two values of balanced accuracy (UAR) differ by at most 1."),
        (
            ["--output", "plan.doc"],
            "--output plan.doc: expected a file whose name ends in .csv, .json, .xlsx, .parquet, .png, .svg, .pdf.",
        ),
        (["--output", "nowhere/plan.png"], "--output nowhere/plan.png: there is no folder nowhere."),
        (["--baseline", "1"], "--baseline: needs your own"),
        (["--from", "results/nowhere"], "--from results/nowhere: no such folder."),
        (["--speaker", "10..20"], "Did you mean '--speakers'?"),
    ],
)
def test_wrong_arguments_are_reported_with_exit_code_2(command, arguments, message):
    ended = command("sample-size", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert message in " ".join(ended.err.split())
