"""Commands as a user types them, in this process, on copies of a finished experiment that lie somewhere else."""

import shutil

import pytest

from xval.__main__ import main


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the results of a finished experiment, without its corpus."""
    return shutil.copytree(finished.results, tmp_path / "moved")


@pytest.fixture
def command(capsys):
    """Return a function that carries out a command and returns its exit code, output and errors."""

    def carry_out(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return carry_out
