"""Outcomes to be reported, made from arrays."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xval.measures.answered import Answered
from xval.measures.forms import ScoreOptions
from xval.measures.task import find_task
from xval.models.saved.provenance import SeenClips
from xval.report.new_data.text import Subject
from xval.reuse.new_data.evaluation import Outcome
from xval.reuse.new_data.labelled_clips import LabelledClips
from xval.reuse.new_data.scores import measure, tabulate_clips


@cache
def _make(n_classes=3, n_items=6, n_clips=120, seed=0, warnings=(), item_word="item"):
    rng = np.random.default_rng(seed)
    names = tuple(f"class {number}" for number in range(n_classes))
    targets = rng.integers(n_classes, size=n_clips)
    values = rng.dirichlet(np.full(n_classes, 0.3), n_clips) + 0.8 * np.eye(n_classes)[targets] * rng.random((n_clips, 1))
    predictions = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    table = pd.DataFrame({"path": [f"{number}.wav" for number in range(n_clips)]})
    table = table.assign(clip=table["path"], item=[f"s{number % n_items}" for number in range(n_clips)])
    table = table.assign(start_s=np.nan, end_s=np.nan, seen="no", label=np.array(names)[targets], audio_hash="")
    side, options = Answered(table[["item", "clip"]], targets, predictions), ScoreOptions(names)
    task = find_task("classification")
    scores = measure(task, side, options, tabulate_clips(task, table, side, names, options, is_known=True))
    clips = LabelledClips("new", (), Path("new"), table, item_word=item_word)
    seen = SeenClips(*np.zeros((3, n_clips), bool))
    left_out = pd.DataFrame({"path": ["x.wav"], "item": ["s9"], "reason": ["no audio"]})
    outcome = Outcome(scores, clips, seen, {"wolf": 2}, names[:1], left_out, tuple(warnings))
    return Subject("m", "new", "classification", names), outcome


@pytest.fixture
def make_outcome():
    return _make
