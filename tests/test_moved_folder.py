"""The folder of an experiment is renamed while it runs. That a claim notices it: tests/xval/results/test_folder.py."""

import pytest


@pytest.mark.slow
def test_a_run_stops_in_one_line_without_its_folder_and_goes_on_once_it_is_back(project):
    project.write_script({"architecture": "mlp", "n_units": (4,)}, num_folds=3, num_epochs=3, early_stopping=False)
    away = project.results.with_name("moved")
    running = project.start("--workers", "1")
    for line in running.stdout:
        if line.startswith("1/3"):
            project.results.rename(away)
            break
    printed = running.communicate(timeout=300)[0]

    assert running.returncode == 2, printed
    (line,) = [line for line in printed.splitlines() if "was moved, renamed or removed while the experiment runs" in line]
    assert line.startswith(f"error: {project.results}: the folder")
    assert not project.results.exists()
    assert "ModuleNotFoundError" not in printed

    away.rename(project.results)
    before = project.stamp((1, 1))
    ended = project.run()
    assert ended.returncode == 0, ended.stderr
    assert project.stamp((1, 1)) == before
    assert {job: record["status"] for job, record in project.records().items()} == {(1, fold): "done" for fold in (1, 2, 3)}
