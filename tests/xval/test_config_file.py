from itertools import pairwise

import pytest

from xval.config_file import CONFIG_PATH, read_defaults, read_section
from xval.errors import SettingsError


def test_keys_keep_their_case_and_percent_signs_stay(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text("[experiment]\ngpu_ID = 0\nname = 50 %(done)s\n")

    assert read_defaults(path) == {"experiment": {"gpu_ID": "0", "name": "50 %(done)s"}}


def test_every_key_of_the_project_has_a_comment_or_shares_one():
    blocks = [block for block in CONFIG_PATH.read_text().split("\n") if block]
    uncommented = [
        line for previous, line in pairwise(blocks) if "=" in line and not line.startswith("#") and previous.startswith("[")
    ]

    assert uncommented in ([], ["batch_size = 32"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nx = 1\n[b]\nx = 2\n", r"'x' stands in \[a\] and in \[b\]"),
        ("[a]\nx = 1\nx = 2\n", "already exists"),
        ("x = 1\n", "no section headers"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    path = tmp_path / "config.ini"
    path.write_text(text)

    with pytest.raises(SettingsError, match=message):
        read_defaults(path)


def test_a_missing_file_or_section_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.ini: cannot read the defaults"):
        read_defaults(tmp_path / "nowhere.ini")
    with pytest.raises(SettingsError, match=r"section \[fetures\] is missing. Found: .*features"):
        read_section("fetures")
