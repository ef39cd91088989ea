"""The address of a saved model to download: ``https://host/encoder.keras#sha256=<64 hexadecimal digits>``.

Without a checksum nothing is downloaded.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from xval.base.errors import SettingsError

_ADDRESS = re.compile(r"(?P<url>(https?|file)://[^#\s]+\.keras)#sha256=(?P<sha256>[0-9a-fA-F]{64})")


class ModelAddress(NamedTuple):
    """Where a model is downloaded from, and its checksum.

    Attributes:
        url: http, https or file.
        sha256: The checksum of the file, 64 hexadecimal digits.
    """

    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The last part of the path, without its percent signs."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2]


def is_address(text: str) -> bool:
    """Return whether a text is an address, not a path."""
    return "://" in text


def parse_address(text: str, setting: str = "initial_model") -> ModelAddress:
    """Return the parts of an address that a setting names; one without a checksum raises an error."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not unquote(text).isprintable():
        raise SettingsError(
            f"{setting}={text!r}: expected an address, http://, https:// or file://, that ends in .keras, followed by its "
            "checksum: #sha256=<64 hexadecimal digits> (sha256sum FILE prints them)"
        )
    if set("{}") & set(text):
        raise SettingsError(f"{setting}={text!r}: an address has one checksum, so {{fold}} is not supported in it")
    return ModelAddress(match["url"], match["sha256"].lower())
