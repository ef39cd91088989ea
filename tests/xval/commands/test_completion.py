import subprocess

import pytest

LOOK = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
echo "${COMPREPLY[*]}"
"""


@pytest.fixture
def complete(command, tmp_path):
    """Return a function that gives what bash offers for the last of some words."""
    ended = command("completion", "bash")
    assert ended.code == 0, ended.err
    script = tmp_path / "completion"
    script.write_text(ended.out)

    def complete(*words):
        return subprocess.run(["bash", "-c", LOOK, "bash", script, *words], capture_output=True, text=True).stdout.split()

    return complete


def test_bash_completes_commands_and_options_of_all_programs(complete):
    assert complete("xval", "comp") == ["compare", "completion"]
    assert complete("xval", "status", "--form") == ["--format"]
    assert complete("xval", "prepare", "emo") == ["emodb"]
    assert complete("xval-preprocessing", "folders", "--item") == ["--item-pattern"]
    assert complete("xval", "prepare", "folders", "--che") == ["--check"]
    assert complete("xval", "run", "--onl") == ["--only"]
    assert complete("xval", "augment", "--see") == ["--seed"]
    assert "encoders" in complete("xval", "prepare", "")
    assert "convert" in complete("xval-preprocessing", "")
    assert complete("xval-augmentation", "--see") == ["--seed"]


def test_an_unknown_shell_is_refused(command):
    ended = command("completion", "dos")

    assert ended.code == 2
    assert "invalid choice: 'dos'" in ended.err
