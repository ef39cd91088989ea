"""One program, ``xval``: its commands, what it prints of itself, and what it answers to names that it does not have."""

import re

import pytest

OLD_NAMES = {
    "start": "xval quickstart",
    "plan": "xval sample-size",
    "cross": "xval cross-corpus",
    "verify": "xval speaker-eer",
    "check": "xval audit",
    "review": "xval review-labels",
    "publish": "xval bundle MODEL --hub OWNER/NAME",
}


@pytest.mark.parametrize("name", OLD_NAMES)
def test_a_name_of_before_is_answered_with_the_new_one(empty, name):
    assert OLD_NAMES[name] in empty.mistake("-m", "xval", name, "results/small/experiment_1")


def test_parts_of_commands_that_moved_are_answered_with_where_they_are(empty):
    assert "xval add-metrics EXPERIMENT NAME" in empty.mistake("-m", "xval", "rebuild", "results", "--metrics", "uar")
    assert "xval prepare demo --check" in empty.mistake("-m", "xval", "prepare", "check", "demo")
    assert "xval prepare demo --check" in empty.mistake("-m", "preprocessing", "check", "demo")


def test_it_tells_its_version(empty):
    ended = empty.xval("--version")

    assert ended.returncode == 0
    assert re.fullmatch(r"xval \d+\.\d+\.\d+\S*\n", ended.stdout)


def test_its_help_loads_none_of_the_large_libraries(empty):
    ended = empty.python(
        "-c",
        "import subprocess, sys\n"
        'code = \'import sys; from xval.__main__ import main; main(["--help"]); '
        'print("LOADED", sorted({"pandas", "keras", "numpy", "scipy", "sklearn"} & set(sys.modules)))\'\n'
        "sys.exit(subprocess.run([sys.executable, '-c', code]).returncode)",
    )

    assert ended.returncode == 0
    assert "LOADED []" in ended.stdout


def test_prepare_is_the_program_that_preprocesses(empty):
    empty.recordings()
    words = ("folders", "audio", "--item-pattern", "(s[0-9])_", "--dataset", "small")

    by_module, by_name = (
        empty.python("-m", *program, *words, "--check", "--headers-only", "--workers", "1")
        for program in (("preprocessing",), ("xval", "prepare"))
    )
    helps = [empty.python("-m", *program, "--help").stdout for program in (("preprocessing",), ("xval", "prepare"))]

    assert by_module.returncode == 0, by_module.stderr
    assert by_module.stdout == by_name.stdout
    assert helps[0] == helps[1]
    assert helps[0].startswith("usage: xval prepare CORPUS")
    assert not list(empty.folder.glob("data/*/index*")), "it only looks"


def test_what_belongs_to_the_check_alone_is_said_to(empty):
    assert "--headers-only: goes with --check" in empty.mistake("-m", "xval", "prepare", "demo", "--headers-only")
    assert "--download: does not go with --check" in empty.mistake("-m", "xval", "prepare", "demo", "--download", "--check")


def test_augment_is_the_program_that_augments(empty):
    empty.recordings(n_speakers=1)

    ended = empty.xval("augment", "audio", "copies", "1", "--workers", "1")

    assert ended.returncode == 0, ended.stderr
    assert (empty.folder / "copies" / "augmented.csv").is_file()
    for words in (("--help",), ("mix", "--help")):
        assert empty.xval("augment", *words).stdout == empty.python("-m", "augmentation", *words).stdout


def test_run_is_the_script(study):
    study.script(*[{"architecture": "mlp"}] * 4)

    listed = study.python("exp.py", "2", "3", "--list")
    by_name = study.xval("run", "exp.py", "--only", "2-3", "--list")
    several = study.python("exp.py", "--only", "1,3-4", "--gpu", "cpu", "--dry-run")

    assert listed.returncode == by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == listed.stdout
    assert several.returncode == 0, several.stderr
    assert re.findall(r"^\s*(\d+) ", study.python("exp.py", "--only", "1,3-4", "--list").stdout, re.MULTILINE) == [
        "1",
        "3",
        "4",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "9"), "no instance 9"),
        (("--only", "4-2"), "write 2 4"),
        (("--only", "a"), "expected a whole number"),
        (("--only", "1", "2"), "--only 1: does not go with 2"),
        (("1", "1", "cpu", "--gpu", "0"), "--gpu 0"),
    ],
)
def test_mistakes_in_which_instances_are_run(study, words, said):
    study.script(*[{"architecture": "mlp"}] * 4)

    assert said in study.mistake("exp.py", *words)


def test_a_script_that_is_not_there_is_named(study):
    study.file("experiments/mine.py", "")

    assert "experiments/mine.py" in study.mistake("-m", "xval", "run", "mine.py")
