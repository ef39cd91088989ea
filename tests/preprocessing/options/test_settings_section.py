"""Settings of a section: what the file says, what the command line sets over it, and messages that name the place."""

from pathlib import Path

import pytest
from pydantic import BaseModel, model_validator

from preprocessing.options.settings_section import read_settings_section
from xval.base.errors import SettingsError


class Range(BaseModel):
    low: int = 1
    high: int = 5

    @model_validator(mode="after")
    def _check_order(self):
        if self.low > self.high:
            raise ValueError("low lies above high")
        return self


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.ini"
    path.write_text("[range]\nlow = 3\n")
    return path


def test_the_command_line_stands_over_the_file_and_the_file_over_the_model(config: Path) -> None:
    assert read_settings_section(Range, "range", config_path=config) == Range(low=3, high=5)
    assert read_settings_section(Range, "range", ["low=2"], config) == Range(low=2, high=5)
    assert read_settings_section(Range, "other", config_path=config) == Range()


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("low = 3", ["low"], r"^--set low: expected KEY=VALUE, such as --set low=\.\.\.$"),
        ("low = 3", ["lov=2"], r"^--set lov: unknown setting\. .*Did you mean 'low'\?$"),
        ("lov = 3", [], r"^config\.ini, \[range\] lov: unknown setting\. .*Did you mean 'low'\?$"),
        ("low = x", [], r"^config\.ini, \[range\] low = x: Input should be a valid integer"),
        ("low = 3", ["high=x", "low=y"], r"^--set low=y: Input .*\n--set high=x: Input"),
        ("low = 9", [], r"^config\.ini, \[range\]: low lies above high\.$"),
        ("low = 3", ["high=2"], r"^--set high=2: low lies above high\.$"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_place(config: Path, text: str, overrides: list[str], message: str) -> None:
    config.write_text(f"[range]\n{text}\n")
    with pytest.raises(SettingsError, match=message):
        read_settings_section(Range, "range", overrides, config)
