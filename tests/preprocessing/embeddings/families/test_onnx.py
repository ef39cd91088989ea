"""An ONNX file that is of valid form and fails, or gives no embeddings, is one line that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from preprocessing.embeddings.embedder import load_embedder
from preprocessing.embeddings.examples import embed_pieces
from xval.base.errors import SettingsError

Write = Callable[..., Path]


@pytest.fixture
def write_graph(tmp_path: Path) -> Write:
    """Return a function that writes a file whose nodes lead from ``x`` (n, t) to ``y``."""

    def write(nodes: list[tuple[Any, ...]], *, of_type: int | None = TensorProto.FLOAT, **constants: list[int]) -> Path:
        made = [helper.make_node(kind, list(reads), [gives], **options) for kind, reads, gives, options in nodes]
        weights = [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()]
        if of_type is None:
            outputs = [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)]
        else:
            outputs = [helper.make_tensor_value_info("y", of_type, None)] if nodes[-1][2] == "y" else []
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "t"])]
        graph = helper.make_graph(made, "net", inputs, outputs, weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return write


MEAN = ("ReduceMean", "x", "m", {"axes": [1]})


@pytest.mark.parametrize(
    ("nodes", "given", "match"),
    [
        # 8 exabytes, which no machine has
        ([MEAN, ("Expand", "ms", "b", {}), ("ReduceSum", "b", "y", {})], {"s": [1, 10**18]}, "fails on 2 .*memory"),
        ([("Reshape", "xs", "y", {})], {"s": [7, 13]}, r"fails on 2 clips of 800 samples .*cannot be reshaped"),
        ([MEAN, ("Cast", "m", "y", {"to": TensorProto.STRING})], {"of_type": TensorProto.STRING}, r"object \(2, 1\)"),
        ([("SequenceConstruct", "x", "y", {})], {"of_type": None}, "returned list for 2 segments; expected numbers"),
        ([("ReduceMean", "x", "y", {"keepdims": 0})], {}, r"returned float32 \(\) for 2 segments; expected"),
        ([("ReduceMean", "x", "y", {"axes": [0]})], {}, r"returned float32 \(1, 800\) for 2 segments; expected"),
        ([("Slice", "xaao", "y", {})], {"a": [0], "o": [1]}, "returned an empty array for 800 samples"),
        ([MEAN], {}, "has no outputs"),
    ],
)  # fmt: skip
def test_a_network_that_fails_or_gives_no_embeddings_is_one_line(
    nodes: list[tuple[Any, ...]], given: dict[str, Any], match: str, write_graph: Write, settings: Callable[..., Any]
) -> None:
    path = write_graph(nodes, **given)
    with pytest.raises(SettingsError, match=match) as refused:
        embed_pieces(np.zeros((2, 800), np.float32), settings(f"onnx:{path}"), None)
    assert f"embedding_model=onnx:{path}: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_whole_numbers_are_embeddings(write_graph: Write, settings: Callable[..., Any]) -> None:
    path = write_graph([("Cast", "x", "y", {"to": TensorProto.INT64})], of_type=TensorProto.INT64)
    found = embed_pieces(np.full((2, 80), 3.5, np.float32), settings(f"onnx:{path}"), None)
    np.testing.assert_array_equal(found, np.full((2, 80), 3))


@pytest.mark.parametrize("where", ["weights.data", "../weights.data", "{folder}/weights.data"])
def test_weights_in_another_file_are_refused_since_the_key_does_not_cover_them(
    where: str, write_onnx: Any, settings: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = write_onnx()
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.data", size_threshold=500)  # the kernel
    model = onnx.load(path, load_external_data=False)
    for weights in (each for each in model.graph.initializer if each.external_data):
        (location,) = (entry for entry in weights.external_data if entry.key == "location")
        location.value = where.format(folder=tmp_path)
    path.write_bytes(model.SerializeToString())
    current = tmp_path / "below" if where.startswith("..") else tmp_path
    current.mkdir(exist_ok=True)
    monkeypatch.chdir(current)
    with pytest.raises(SettingsError, match=r"ONNX Runtime cannot load it .* Expected a single file that includes its weights"):
        load_embedder(settings(f"onnx:{path}"))
