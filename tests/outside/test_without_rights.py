"""Folders that may not be written are named in one line."""

import sys

import pytest

WITHOUT_RIGHTS = """
import ctypes, runpy, sys
# Root may write everywhere but for these: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
system, header, rights = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert system.capget(header, rights) == 0
rights[0] &= ~0b110
assert system.capset(header, rights) == 0
sys.argv[:] = ["xval", *sys.argv[1:]]
runpy.run_module("xval", run_name="__main__", alter_sys=True)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the rights are those of Linux")
def test_a_final_model_without_rights_to_write(study):
    study.train({"architecture": "mlp"}, num_epochs=1)
    instance, refit = study.results / "instance_1", study.results / "instance_1" / "refit"
    command = ["-c", WITHOUT_RIGHTS, "refit", study.results, "1", "--overwrite"]
    assert study.python(*command).returncode == 0

    refit.chmod(0o555)  # as one who shares a model does
    replaced = study.python(*command)
    instance.chmod(0o555)
    try:
        refused = study.python(*command)
    finally:
        instance.chmod(0o755)

    assert replaced.returncode == 0, replaced.stderr
    assert [path.name for path in instance.iterdir() if ".part" in path.name] == []
    assert refused.returncode == 1
    assert f"error: {refit}: Permission denied." in refused.stderr
    assert "Traceback" not in refused.stderr
