"""Commands as a user types them, carried out in this process; copies of a finished experiment that lie somewhere else."""

import json
import shutil
from typing import NamedTuple

import pytest

from xval.__main__ import main


class Ended(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    def rows(self):
        return json.loads(self.out)


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the results of a finished experiment, without its corpus."""
    return shutil.copytree(finished.results, tmp_path / "moved")


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that carries out ``xval``; it gives exit code, output and errors."""
    from xval.reuse import inference

    monkeypatch.setattr(inference, "_bind", lambda *_, **__: None)  # Keras is loaded already

    def carry_out(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return carry_out
