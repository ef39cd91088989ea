"""The folder that a run writes."""

import re

import pytest

from preprocessing.clips.output_folder import SourceFile, open_output
from xval.base.errors import CorpusError


def test_what_a_process_left_half_written_that_was_killed_is_gone_when_the_folder_is_complete(tmp_path):
    with open_output(tmp_path / "out", "note.json", {}, overwrite=False) as output:
        output.begin({"a.wav": SourceFile((1, 2), ("a.wav",))})
        half = tmp_path / "out" / ".a.wav.machine-4711-1.0a1b2c3d.part"
        half.write_bytes(b"half")
        whole = tmp_path / "out" / "a.wav"
        whole.write_bytes(b"whole")

    assert not half.exists()
    assert whole.exists()


@pytest.mark.parametrize(
    ("note", "fault"),
    [
        ("{", "content: Invalid JSON"),
        ('{"complete": true}', "settings: Field required"),
        ('{"complete": true, "settings": {}, "sources": {"a.wav": [[1], ["../a.wav"]]}}', "../a.wav is outside the folder"),
    ],
)
def test_a_damaged_note_is_refused_and_nothing_is_touched(tmp_path, note, fault):
    (tmp_path / "note.json").write_text(note)
    (tmp_path / "a.wav").write_bytes(b"whole")

    with (
        pytest.raises(CorpusError, match=rf"note\.json: damaged, or of another version \(.*{re.escape(fault)}.* Remove"),
        open_output(tmp_path, "note.json", {}, overwrite=True),
    ):
        pass
    assert (tmp_path / "a.wav").read_bytes() == b"whole"
