"""Files of the user's own with the name of a package of xval, beside the script."""

import subprocess
import sys

import pytest

SCRIPT = "from xval import Experiment\nExperiment('a').main(['--help'])\n"


@pytest.mark.parametrize("name", ["preprocessing.py", "augmentation.py", "architectures/__init__.py"])
def test_a_file_that_hides_a_package_is_named_in_one_line(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    (tmp_path / "exp.py").write_text(SCRIPT)
    imported_before = f"import {name.partition('/')[0].removesuffix('.py')}\n{SCRIPT}"
    (tmp_path / "later.py").write_text(imported_before)

    another = "augmentation" if name == "preprocessing.py" else "preprocessing"
    for words in (["exp.py"], ["later.py"], ["-m", "xval", "--help"], ["-m", another, "--help"]):
        ended = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

        assert (ended.returncode, ended.stdout) == (2, "")
        (line,) = ended.stderr.splitlines()
        said = "this file has the name of a package of xval and hides it. Rename the file."
        assert line == f"error: {tmp_path / name}: {said}"


def test_a_folder_that_hides_nothing_is_no_fault(tmp_path):
    (tmp_path / "architectures").mkdir()
    (tmp_path / "other.py").write_text("")
    (tmp_path / "exp.py").write_text(SCRIPT)

    ended = subprocess.run([sys.executable, "exp.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
