"""A run that is refused before its first job has ended leaves the results folder as it was."""

import openpyxl
import pytest

NETS = """
import keras


def fine(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(keras.layers.Flatten()(inputs)))


def broken(input_shape, output_shape):
    raise RuntimeError("on purpose")
"""


@pytest.fixture
def nets(study):
    study.file("nets.py", NETS)
    study.corpus()
    return study


def content(folder):
    """Return the bytes of all files of the instances, and what the workbook has of them."""
    files = (path for path in folder.glob("instance_*/**/*") if path.is_file() and not path.name.startswith("."))
    workbook = openpyxl.load_workbook(folder / "results.xlsx")
    cells = {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in workbook}
    return {str(path.relative_to(folder)): path.read_bytes() for path in files} | cells


@pytest.mark.long
def test_the_first_run_leaves_no_folder(nets):
    nets.script({"architecture": "nets.broken"})

    assert "on purpose" in nets.mistake("exp.py")

    assert not nets.results.exists()


@pytest.mark.parametrize("options", [(), ("--set", "overwrite_results=true")])
@pytest.mark.long
def test_results_stay_as_they_are(nets, options):
    nets.train({"architecture": "nets.fine"})
    before = content(nets.results)
    nets.script({"architecture": "nets.broken"})

    said = nets.mistake("exp.py", *options)

    assert "on purpose" in said or "overwrite" in said
    assert content(nets.results) == before
    assert nets.xval("status", nets.results).stdout.count("wait here for new ones") == 0
    nets.script({"architecture": "nets.fine"})
    assert "Nothing to do" in nets.run().stdout


@pytest.mark.long
def test_a_second_instance_that_is_refused_is_in_no_table(nets):
    nets.train({"architecture": "nets.fine"})
    nets.script({"architecture": "nets.fine"}, {"architecture": "nets.broken"})

    assert "on purpose" in nets.mistake("exp.py")

    assert not (nets.results / "instance_2").exists()


def test_a_setting_of_augmented_copies_is_refused_with_the_command_that_reads_it(study):
    study.script({"architecture": "knn"})

    for name, command in (("pitch_shift_probability", "xval augment"), ("mixture_uses", "xval augment mix")):
        said = study.mistake("exp.py", "--set", f"{name}=0.5")
        assert f"'{name}' is no parameter of a run: only {command} reads it." in said
        assert f"{command} ... --set {name}=" in said
    assert "unknown parameter 'augment_nois'. Did you mean 'augment_noise'" in study.mistake(
        "exp.py", "--set", "augment_nois=1"
    )


def test_a_network_that_cut_clips_are_too_short_for_is_refused_with_the_setting_that_cuts_them(empty):
    empty.recordings()
    assert empty.prepare("folders", "audio", "--dataset", "small", "--item-pattern", r"(s\d)_").returncode == 0
    empty.script({"architecture": "sincnet", "features": "waveform"}, sample_rate_hz=4000, clip_length_s=0.005)

    said = empty.mistake("exp.py", "--executor", "inline")

    assert "the smallest allowed size is" in said
    assert "The length of the examples is set by clip_length_s=0.005." in said
