"""A small part of the torture suite: python tests/torture, of which `make torture` runs all."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def torture(*options, code=0):
    command = [sys.executable, "tests/torture", "--processes", "1", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_a_few_kills_and_full_disks_do_no_harm():
    printed = torture("--light", "--kinds", "kills,full_disk", "--share", "0.02")

    tried = {kind: (int(n), int(failed)) for kind, n, failed in re.findall(r"^(\w+) +(\d+) +(\d+) ", printed, re.MULTILINE)}
    assert tried == {"kills": (4, 0), "full_disk": (tried["full_disk"][0], 0)}
    assert tried["full_disk"][0] >= 3
