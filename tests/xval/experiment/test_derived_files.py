"""The page of a run that was interrupted is not taken for the one that a run ends with."""

from types import SimpleNamespace

import pytest

from preprocessing.console import make_console
from xval.experiment import derived_files
from xval.report.rebuild import is_page_stale
from xval.results.folder import ExperimentFolder


@pytest.mark.parametrize("is_final", [False, True])
def test_a_page_without_audio_is_written_anew_by_a_run_with_nothing_to_do(is_final, tmp_path, monkeypatch):
    folder = ExperimentFolder(tmp_path)
    folder.folds_file.touch()
    folder.workbook.touch()
    settings = SimpleNamespace(page="complete")
    planned = SimpleNamespace(folder=folder, instances=[SimpleNamespace(settings=settings)], done=[], to_do=[])
    monkeypatch.setattr(derived_files, "write_page", lambda folder, request: folder.page.write_text(str(request.with_audio)))
    monkeypatch.setattr(derived_files, "update_index", lambda _: None)

    derived_files.update_page(planned, make_console(), is_final=is_final)

    assert folder.page.read_text() == str(is_final)
    assert is_page_stale(folder) is not is_final
