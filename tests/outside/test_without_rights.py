"""Folders that may not be written are named in one line."""

import sys

import pytest


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the rights are those of Linux")
def test_a_final_model_without_rights_to_write(study):
    study.train({"architecture": "mlp"}, num_epochs=1)
    instance, refit = study.results / "instance_1", study.results / "instance_1" / "refit"
    command = ["refit", f"{study.results}:1", "--overwrite"]
    assert study.without_rights(*command).returncode == 0

    refit.chmod(0o555)  # as one who shares a model does
    replaced = study.without_rights(*command)
    instance.chmod(0o555)
    try:
        refused = study.without_rights(*command)
    finally:
        instance.chmod(0o755)

    assert replaced.returncode == 0, replaced.stderr
    assert [path.name for path in instance.iterdir() if ".part" in path.name] == []
    assert refused.returncode == 1
    assert f"error: {refit}: Permission denied." in refused.stderr
    assert "Traceback" not in refused.stderr
