"""Settings come from config.ini and --set; what cannot be is refused with what is allowed."""

from pathlib import Path

import pytest

from augmentation.offline_settings import MixingSettings, augmentation_model, read_augmentation_settings, read_mixing_settings
from xval.base.config_file import read_defaults
from xval.base.errors import SettingsError


def test_a_file_overrides_the_signature_and_set_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[offline_augmentation]\ngain_min_db = -20\nreverb_min_wet = 0.3\n[mixing]\nmixture_uses = 3\n")
    settings = read_augmentation_settings(["reverb_min_wet=0.4"], config)
    assert settings.options["gain"]["min_db"] == -20
    assert settings.options["reverb"]["min_wet"] == 0.4
    assert settings.options["reverb"]["max_wet"] == 0.7
    assert read_mixing_settings(["mixture_duration_s=4"], config).model_dump()["mixture_uses"] == 3


@pytest.mark.parametrize(("section", "model"), [("offline_augmentation", augmentation_model()), ("mixing", MixingSettings)])
def test_the_projects_file_has_every_key_with_the_default_of_the_signature(section: str, model: type) -> None:
    written = read_defaults().get(section, {})
    assert set(written) == set(model.model_fields)
    assert model.model_validate(written) == model()


@pytest.mark.parametrize("text", ["none", "None", ""])
def test_no_folder_is_none(text: str) -> None:
    settings = read_augmentation_settings([f"background_noise_folder={text}"])
    assert settings.options["background_noise"]["folder"] is None
    assert settings.folders() == {}


def test_folders_of_transforms_that_are_off_do_not_count() -> None:
    overrides = ["background_noise_folder=noises", "reverb_folder=rooms", "reverb_probability=0"]
    assert read_augmentation_settings(overrides).folders() == {"background_noise_folder": Path("noises")}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("gain_min_d=-3", r"--set gain_min_d: unknown setting\. .*Did you mean 'gain_min_db'"),
        ("gain_min_db", r"--set gain_min_db: expected KEY=VALUE"),
        ("gain_min_db=loud", r"--set gain_min_db=loud: .*number"),
        ("gain_max_db=3", r"--set gain_max_db=3: .*less than or equal to 0"),
        ("gain_min_db=-0.5", r"gain_min_db=-0\.5 is above gain_max_db=-1"),
        ("reverb_probability=1.5", r"--set reverb_probability=1\.5: .*less than or equal to 1"),
        ("time_stretch_min_rate=0.3", r"--set time_stretch_min_rate=0\.3: .*greater than or equal to 0\.5"),
        ("background_noise_colour=grey", r"--set background_noise_colour=grey: .*'white'"),
        ("min_transforms=9", r"min_transforms = 9, but only 8 transforms"),
        ("equalizer_max_hz=nan", r"--set equalizer_max_hz=nan: .*finite"),
    ],
)
def test_what_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_augmentation_settings([override])


def test_transforms_must_be_on_where_some_are_wanted() -> None:
    off = [f"{name.removesuffix('_probability')}_probability=0" for name in augmentation_model().model_fields
           if name.endswith("_probability")]  # fmt: skip
    with pytest.raises(SettingsError, match=r"only 0 transforms have a probability above 0"):
        read_augmentation_settings(off)
    assert read_augmentation_settings([*off, "min_transforms=0"]).min_transforms == 0
