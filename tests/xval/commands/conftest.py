"""The commands called in this process."""

import json
from types import SimpleNamespace

import pytest


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs ``python -m xval`` here, where Keras is loaded; it gives exit code, output and errors."""
    from xval import inference
    from xval.__main__ import main

    monkeypatch.setattr(inference, "_bind", lambda *_: None)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err, rows=lambda: json.loads(captured.out))

    return run
