"""The page of a bundle, which runs the model in a browser: index.html and the scripts in web/.

The page loads nothing from the network and opens with a double click. From the disk a browser reads only scripts next to a
page, so the model and the WebAssembly are stored in scripts, compressed and in base64. The page uses one thread, because more
threads need headers of a server.
"""

import base64
import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from xval.base.errors import SettingsError, brief
from xval.base.operating_system import read_regular
from xval.base.size_limits import LARGEST_TEXT_BYTES
from xval.extras.bundle.facts import BundleFacts
from xval.report.rendering import make_environment

VERSION = "1.30.0"
"""The tested version of onnxruntime-web."""
_SCRIPT, _MODULE, _WASM = "dist/ort.wasm.min.js", "dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm"
_SHA256 = {
    _SCRIPT: "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    _MODULE: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    _WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_TEMPLATES = Path(__file__).with_name("templates")
_ABOUT = "package.json"
HOW_TO_GET = (
    f"Get it with npm pack onnxruntime-web@{VERSION}, and give the file with --onnxruntime-web onnxruntime-web-{VERSION}.tgz"
)


@dataclass(frozen=True)
class Runtime:
    """The files of onnxruntime-web.

    Attributes:
        version: The version in package.json.
        files: Content of the script, the module and the WebAssembly, by their paths in the package.
    """

    version: str
    files: Mapping[str, bytes]

    @property
    def note(self) -> str:
        """A note on an untested version; empty for the tested version."""
        return (
            "" if self.version == VERSION else (f"onnxruntime-web {self.version} is untested; the tested version is {VERSION}.")
        )


def read_runtime(path: Path) -> Runtime:
    """Read onnxruntime-web from its package, a .tgz file or a folder.

    Raises:
        SettingsError: The path is not this package, or it has the tested version but other files.
    """
    names = (_ABOUT, *_SHA256)
    try:
        contents = _in_folder(path, names) if path.is_dir() else _in_archive(path, names)
        about = json.loads(contents.pop(_ABOUT))
        name, version = str(about["name"]), str(about["version"])
    except (OSError, EOFError, KeyError, TypeError, ValueError, RecursionError, tarfile.TarError, zlib.error) as error:
        raise SettingsError(
            f"--onnxruntime-web {path}: not a package onnxruntime-web with {', '.join(names)} ({brief(error)}). {HOW_TO_GET}."
        ) from error
    if name != "onnxruntime-web":
        raise SettingsError(f"--onnxruntime-web {path}: the package is {name!r:.60}. {HOW_TO_GET}.")
    for file, content in contents.items():
        if version == VERSION and hashlib.sha256(content).hexdigest() != _SHA256[file]:
            raise SettingsError(f"--onnxruntime-web {path}: {file} differs from version {VERSION} (SHA-256). {HOW_TO_GET}.")
    return Runtime(version, contents)


def make_page(title: str, facts: BundleFacts, onnx: bytes, runtime: Runtime) -> dict[str, bytes]:
    """Return the files of the page, by their paths in the bundle.

    Args:
        title: The name of the model.
        facts: Input and output of the model.
        onnx: Content of the ONNX file, which maps samples to predictions.
        runtime: The files of onnxruntime-web.
    """
    page = make_environment(_TEMPLATES).get_template("bundle.html").render(title=title, facts=facts, version=runtime.version)
    script = (_TEMPLATES / "bundle.js").read_bytes()
    model = _script("xvalModel", {"facts": asdict(facts), "onnx": _packed(onnx)})
    web = _script("xvalRuntime", {"module": _packed(runtime.files[_MODULE]), "wasm": _packed(runtime.files[_WASM])})
    return {
        "index.html": page.encode(),
        "web/page.js": script,
        "web/model.js": model,
        "web/onnxruntime.js": runtime.files[_SCRIPT],
        "web/onnxruntime_wasm.js": web,
    }


def _script(name: str, content: Mapping[str, object]) -> bytes:
    return f'"use strict";\nwindow.{name} = {json.dumps(content)};\n'.encode()


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _in_folder(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    folder = next((folder for folder in (path, path / "package") if (folder / _ABOUT).is_file()), path)
    return {name: read_regular(folder / name) for name in names}


def _in_archive(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    contents = {}
    with tarfile.open(path, "r:gz") as archive:
        for name in names:
            member = archive.getmember(f"package/{name}")
            file = archive.extractfile(member) if member.isreg() else None  # a link has the size 0 and leads to any file
            if file is None or member.size > LARGEST_TEXT_BYTES:
                raise ValueError(f"{member.name} is not a file of plausible size")
            contents[name] = file.read()
    return contents
