"""Fixtures: a bundle of a fold of a finished experiment, made once, and a package with the file names of onnxruntime-web."""

import json
import tarfile
from dataclasses import replace

import pytest

from xval.extras.bundle import page
from xval.extras.bundle.write import BundleRequest, write_bundle

LICENCE = 'mine: "<b>" & #1'


@pytest.fixture(scope="session")
def make_package():
    """Return a function that writes a package with the files of onnxruntime-web that a bundle needs, which cannot run."""

    def make(folder, name="onnxruntime-web", version="1.0.0"):
        package = folder / "package"
        for path in page._SHA256:
            (package / path).parent.mkdir(parents=True, exist_ok=True)
            (package / path).write_text(f"/* {path} */")
        (package / "package.json").write_text(json.dumps({"name": name, "version": version}))
        archive = folder / f"{name}-{version}.tgz"
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(package, "package")
        return archive

    return make


@pytest.fixture(scope="session")
def bundled(finished, make_once, make_package, tmp_path_factory):
    """Return a function from the number of an instance of `finished` to the bundle folder of its fold 1."""
    package = make_package(tmp_path_factory.mktemp("package"))

    def bundle(instance):
        model = finished.results / f"instance_{instance}" / "fold_1"
        request = BundleRequest(is_zipped=True, licence=LICENCE, runtime=package)

        def fill(folder):
            write_bundle(model, replace(request, to=folder / "bundle"))

        return make_once(f"bundle_{instance}", fill) / "bundle"

    return bundle
