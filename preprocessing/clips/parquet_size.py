"""What a parquet file takes in memory, by its footer: a text that a file holds once may stand in a billion rows.

Comes in: an open file and the columns that are wanted of it. Goes out: their bytes in memory, and the columns of text whose
size the footer does not tell; those are read as Arrow's dictionaries, measured, and only then written out.

Believed is what the footer says of its own pages; a footer that was forged to lie of them is not found out.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import FileMetaData

_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8, "BYTE_ARRAY": 8}
"""Of a value; of a text its place alone."""
_HARMLESS_TEXT_BYTES = 64 << 20
"""Texts that cannot take more are not measured, which takes time."""


class ReadSize(NamedTuple):
    """What columns take in memory.

    Attributes:
        n_bytes: Of all values, without the content of `texts`.
        texts: The columns of text that have to be measured, by their paths in the file.
    """

    n_bytes: int
    texts: list[str]


def size_in_memory(footer: "FileMetaData", wanted: Collection[str] | None) -> ReadSize:
    """Return what columns take once they are read."""
    n_bytes, texts = 0, list[str]()
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for number, path in _leaves(footer, wanted):
        column = footer.schema.column(number)
        chunks = [group.column(number) for group in groups]
        n_values = sum(max(chunk.num_values, 0) for chunk in chunks)
        n_bytes += n_values * (
            column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else _BYTES[column.physical_type]
        )
        if column.physical_type == "BYTE_ARRAY":
            # No text is longer than all of its chunk, and each row may have the longest.
            most = sum(max(chunk.num_values, 0) * max(chunk.total_uncompressed_size, 0) for chunk in chunks)
            is_nested = column.max_repetition_level > 0 or column.max_definition_level > 1
            if most <= _HARMLESS_TEXT_BYTES or is_nested:
                n_bytes += most  # of texts in lists this alone is known
            else:
                texts.append(path)
    return ReadSize(n_bytes, texts)


def measure_texts(table: "pyarrow.Table") -> int:
    """Return how many bytes the columns that are dictionaries of texts take when each row has its own text."""
    import pyarrow.compute as pc
    from pyarrow import types

    n_bytes = 0
    for column in table.columns:
        kind = column.type
        if types.is_dictionary(kind) and (types.is_unicode(kind.value_type) or types.is_binary(kind.value_type)):
            for chunk in column.chunks:
                lengths = pc.binary_length(chunk.dictionary).cast("int64").take(chunk.indices)
                n_bytes += pc.sum(lengths).as_py() or 0
    return n_bytes


def write_out(table: "pyarrow.Table", schema: "pyarrow.Schema") -> "pyarrow.Table":
    """Return a table whose columns have the types of a schema, where they are dictionaries of such values."""
    import pyarrow

    fields = {field.name: field for field in schema}
    for place, column in enumerate(table.columns):
        field = fields[table.column_names[place]]
        if not column.type.equals(field.type):
            plain = column.cast(pyarrow.large_string()) if pyarrow.types.is_string_view(field.type) else column
            table = table.set_column(place, field, plain.cast(field.type))
    return table


def _leaves(footer: "FileMetaData", wanted: Collection[str] | None) -> "Iterator[tuple[int, str]]":
    """Yield the number and the path of the columns in the file that make up the wanted ones, which may be lists of records."""
    names = None if wanted is None else set(wanted)
    for number in range(footer.num_columns):
        path = footer.schema.column(number).path
        parts = path.split(".")
        if names is None or any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1)):
            yield number, path
