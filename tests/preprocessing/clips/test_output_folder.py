"""The folder that a run writes."""

from preprocessing.clips.output_folder import SourceFile, open_output


def test_what_a_process_left_half_written_that_was_killed_is_gone_when_the_folder_is_complete(tmp_path):
    with open_output(tmp_path / "out", "note.json", {}, overwrite=False) as output:
        output.begin({"a.wav": SourceFile((1, 2), ("a.wav",))})
        half = tmp_path / "out" / ".a.wav.machine-4711-1.0a1b2c3d.part"
        half.write_bytes(b"half")
        whole = tmp_path / "out" / "a.wav"
        whole.write_bytes(b"whole")

    assert not half.exists()
    assert whole.exists()
