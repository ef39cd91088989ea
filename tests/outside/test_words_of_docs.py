"""README and docs have the words that a user searches for, and none that the field does not use."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
TEXT = re.sub(r"\s+", " ", " ".join(PAGES.values()))

OF_THE_FIELD = """
confidence interval; nested cross-validation; speaker-independent; leave-one-speaker-out; LOSO; cross-corpus; k-fold;
stratified; conformal; temperature scaling; calibration; uncertain; abstain; out-of-distribution; power analysis; sample
size; significant; optimistic; effect size; paired t test; bootstrap; permutation test; Holm; subgroup; fairness; label
noise; confident learning; transfer learning; fine-tun; pretrained; self-supervised; embedding; data augmentation;
SpecAugment; mixup; hyper-parameter; sound event detection; audio tagging; multi-label; regression; bioacoustic;
clinical; speech emotion recognition; speaker verification; equal error rate; EER; speaker identification; feature
importance; explanation; integrated gradients; reproducib; checkpoint; seed; early stopping; confusion matrix; balanced
accuracy; UAR; F1; ROC; AUC; ECE; CCC; log-mel; MFCC; eGeMAPS; spectrogram; ONNX; Hugging Face; model card; Slurm;
MLflow; TensorBoard; data leakage; baseline; random forest; SVM
"""
REFERENCES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs/reference").glob("*.md"))}

COINED = """
told apart; tells apart; too good; too sure; surest; unheard; bit for bit; likewise; at hand; in the place of;
of its own; what knowing the; stretch of; stretches of; what it is worth
"""


def phrases(text):
    return [phrase for phrase in (" ".join(part.split()) for part in text.split(";")) if phrase]


@pytest.mark.parametrize("phrase", phrases(OF_THE_FIELD))
def test_a_user_finds_the_word(phrase):
    assert re.search(re.escape(phrase), TEXT, re.IGNORECASE)


@pytest.mark.parametrize("phrase", phrases(COINED))
def test_no_page_has_the_phrase(phrase):
    assert [
        name
        for name, text in {**PAGES, **REFERENCES}.items()
        if re.search(rf"\b{re.escape(phrase)}\b", " ".join(text.split()), re.IGNORECASE)
    ] == []
