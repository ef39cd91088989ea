"""Write, into a folder, what cases of `elsewhere` change: files of other programs, each as sound as those programs leave it.

python _sound_files.py FOLDER

A process of its own: what writes them loads torch, which the suite leaves out.
"""

import io
import sys
from pathlib import Path

import audformat
import datasets
import numpy as np
import onnx
import soundfile
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper

N_FILES = 6


def write_audformat(folder: Path) -> None:
    """Write a database of three speakers and two emotions."""
    names = [f"audio/{number}.wav" for number in range(N_FILES)]
    database = audformat.Database("moods", description="of voices")
    database.schemes["emotion"] = audformat.Scheme(labels=["glad", "sad"])
    database.schemes["speaker"] = audformat.Scheme(labels={number: {"age": 30 + number} for number in range(3)})
    database["files"] = audformat.Table(audformat.filewise_index(names))
    for column, values in (("emotion", ["glad", "sad"] * 3), ("speaker", [0, 0, 1, 1, 2, 2])):
        database["files"][column] = audformat.Column(scheme_id=column)
        database["files"][column].set(values)
    database.save(str(folder), storage_format="csv")
    (folder / "audio").mkdir()
    for number, name in enumerate(names):
        (folder / name).write_bytes(_encoded(number))


def write_huggingface(folder: Path) -> None:
    """Write a dataset whose audio lies in its cells."""
    features = datasets.Features(
        {"audio": datasets.Audio(decode=False), "label": datasets.Value("string"), "speaker": datasets.Value("string")}
    )
    content = {
        "audio": [{"bytes": _encoded(number), "path": f"{number}.wav"} for number in range(N_FILES)],
        "label": ["a", "b"] * 3,
        "speaker": [f"s{number // 2}" for number in range(N_FILES)],
    }
    datasets.Dataset.from_dict(content).cast(features).save_to_disk(str(folder))


def write_onnx(folder: Path) -> None:
    """Write a network whose loop takes 2**62 steps, and one that wants 68 GB."""
    folder.mkdir()
    value = helper.make_tensor_value_info
    step = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"]), helper.make_node("Mul", ["value", "value"], ["next"])],
        "step",
        [
            value("number", TensorProto.INT64, []),
            value("goes_on", TensorProto.BOOL, []),
            value("value", TensorProto.FLOAT, None),
        ],
        [value("still", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )
    mean = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1])
    graphs = {
        "endless": ([mean, helper.make_node("Loop", ["n", "", "mean"], ["y"], body=step)], np.array(2**62)),
        "enormous": (
            [
                mean,
                helper.make_node("ConstantOfShape", ["n"], ["zeros"]),
                helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
                helper.make_node("Add", ["mean", "sum"], ["y"]),
            ],
            np.array([17 * 10**9]),
        ),
    }
    for name, (nodes, count) in graphs.items():
        inputs, outputs = [value("x", TensorProto.FLOAT, ["n", "t"])], [value("y", TensorProto.FLOAT, ["n", 1])]
        graph = helper.make_graph(nodes, name, inputs, outputs, [numpy_helper.from_array(count, "n")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / f"{name}.onnx")


def write_transformers(folder: Path) -> None:
    """Write a tiny random model of the family wav2vec2."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    layers = {"conv_dim": (16, 16), "conv_stride": (20, 16), "conv_kernel": (25, 16), "num_feat_extract_layers": 2}
    positions = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**sizes, **layers, **positions)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def _encoded(number: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(number).normal(0, 0.1, 8000), 16000, format="WAV")
    return file.getvalue()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for write in (write_audformat, write_huggingface, write_onnx, write_transformers):
        write(place / write.__name__.removeprefix("write_"))
