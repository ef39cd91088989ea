"""``xval prepare encoders [NAME | fetch NAME]``: list pretrained encoders, describe one, or fetch its files."""

from collections.abc import Sequence

from preprocessing.console import make_console
from preprocessing.encoders import Preset, find_in_cache, find_preset, preset_names, read_note
from preprocessing.options.argument_parser import Parser
from xval.base.errors import SettingsError

_PROGRAM = "xval prepare encoders"
_UNKNOWN = "unknown"


def main(arguments: Sequence[str]) -> None:
    """List, describe or fetch encoders."""
    values = make_parser().parse_all(arguments)
    words = values.words
    is_fetching = words[:1] == ["fetch"]
    if len(words) > 1 + is_fetching or words == ["fetch"]:
        raise SettingsError(f"Expected: {_PROGRAM}, {_PROGRAM} NAME, or {_PROGRAM} fetch NAME. See {_PROGRAM} --help")
    if is_fetching:
        _fetch(find_preset(words[1]), values.sha256, values.revision, unchecked=values.unchecked, is_agreed=values.yes)
        return
    make_console().print(_describe(find_preset(words[0])) if words else _list_all())


def make_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [NAME | fetch NAME] [--yes] [--sha256 DIGITS | --unchecked] [--revision COMMIT]",
        description="List pretrained encoders (embedding_model = NAME), describe one, or download its files.\n\n"
        "Files are stored in the cache of the Hugging Face hub. Runs never download. Without a network: docs/embeddings.md.",
    )
    parser.add_argument(
        "words", nargs="*", metavar="NAME", help="a preset: describe it; fetch and a preset: download it (default: list all)"
    )
    parser.add_argument("--yes", action="store_true", help="download without asking")
    parser.add_argument(
        "--sha256", type=str.lower, metavar="DIGITS", help="expected checksum of the weights, if the preset has none"
    )
    parser.add_argument("--unchecked", action="store_true", help="accept the files even if no SHA-256 is known")
    parser.add_argument("--revision", metavar="COMMIT", help="commit of the repository, if the preset has none")
    return parser


def _list_all() -> str:
    presets = [find_preset(name) for name in preset_names()]
    rows = [(preset.name, _size(preset), _state(preset), preset.purpose) for preset in presets]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
    return "\n".join([*lines, "", f"Describe one: {_PROGRAM} NAME. Fetch its files: {_PROGRAM} fetch NAME"])


def _describe(preset: Preset) -> str:
    facts = {
        "what for": preset.purpose,
        "source": preset.source,
        "revision": (preset.revision or _UNKNOWN) if preset.is_of_hub else "",
        "SHA-256": (preset.sha256 or _UNKNOWN) if preset.is_of_hub else "",
        "size": _size(preset),
        "licence": preset.licence,
        "sample rate": f"{preset.sample_rate_hz} Hz" if preset.sample_rate_hz else "any",
        "trained on": preset.training_data,
        "more": preset.card,
        "here": _state(preset),
        "loadable": "" if preset.family else f"no: {preset.obstacle}",
    }
    return "\n".join(f"{name:12} {text}" for name, text in {"encoder": preset.name, **facts}.items() if text)


def _size(preset: Preset) -> str:
    return f"{preset.size_mb:g} MB" if preset.size_mb else _UNKNOWN if preset.is_of_hub else "package"


def _state(preset: Preset) -> str:
    """Return whether the files of a preset are on this machine."""
    if preset.family is None:
        return "not loadable"
    if not preset.is_of_hub:
        return "package"
    try:
        is_here, note = find_in_cache(preset) is not None, read_note(preset)
    except SettingsError:  # without huggingface_hub there is no cache
        return "not here"
    if not is_here:
        return "not here"
    return "here, checked" if note.get("is_checked") else "here, not checked"


def _fetch(preset: Preset, sha256: str | None, revision: str | None, *, unchecked: bool, is_agreed: bool) -> None:
    from preprocessing.encoders.fetch import check_request, fetch, is_as_noted

    console = make_console()
    expected = check_request(preset, sha256, revision, unchecked=unchecked)
    if path := find_in_cache(preset):
        if is_as_noted(preset, path, expected):
            console.print(f"{preset.name} is already here: {path.parent}")
            return
        console.print(f"{preset.name} is here, but its weights are not those expected ({expected}); it is fetched again")
    console.print(_describe(preset))
    if not is_agreed and not _agrees():
        raise SettingsError("Nothing was fetched. Type y, or give --yes.")
    fetched = fetch(preset, expected, revision)
    checked = "as expected" if fetched.is_checked else "not checked, because no checksum is known; this is noted"
    console.print(f"Fetched    {fetched.path.parent}")
    console.print(f"Revision   {fetched.revision}")
    console.print(f"SHA-256    {fetched.sha256} ({checked})")
    console.print(f"Next       embedding_model = {preset.name}")


def _agrees() -> bool:
    try:
        return input("Fetch it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
