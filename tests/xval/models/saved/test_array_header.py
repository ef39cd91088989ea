"""Headers of arrays, which NumPy reads as Python, are refused where Python's parser gives up."""

import io

import pytest

from xval.models.saved.array_header import check_array_header


@pytest.mark.parametrize(
    "header",
    [9000 * "-" + "1", 9000 * "[", 150 * "(" + 150 * ")", "{'descr': '<f4', 'shape': (10**10**10,)}", "0x" + 9000 * "f"],
)
def test_a_header_that_python_cannot_read_is_damaged(header: str) -> None:
    text = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text

    with pytest.raises(ValueError, match=r"header|Header|malformed|digits"):
        check_array_header(io.BytesIO(content), len(content) + 4)
