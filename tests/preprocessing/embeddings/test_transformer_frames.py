"""Frames of clips of any length do not depend on the clips beside them, nor on how long those are."""

import numpy as np
import pytest
import torch

from preprocessing.embeddings.families.transformers import load_frames

FAMILIES = ("wav2vec2", "wav2vec2 with stable norm", "hubert", "wavlm", "whisper", "ast")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_has_the_same_frames_alone_and_beside_longer_ones(family, pretrained_models, tmp_path):
    pretrained_models.write(family, tmp_path)
    frames = load_frames(str(tmp_path)).eval()
    rng = np.random.default_rng(0)
    # Longer than what Whisper and AST read at once; shorter than the convolutions see.
    clips = [0.1 * rng.normal(size=n).astype(np.float32) for n in (9000, 25000, 300, 9000, 16320)]
    layers = tuple(range(frames.n_layers))

    with torch.inference_mode():
        together = frames(clips, layers)
        alone = [frames([clip], layers)[0] for clip in clips]

    assert together.shape[2] == max(part.shape[1] for part in alone)
    for row, (clip, part) in enumerate(zip(clips, alone, strict=True)):
        assert frames.count_frames(len(clip)) == part.shape[1]
        torch.testing.assert_close(together[row, :, : part.shape[1]], part, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(together[0, -1, 0], together[3, -1, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_weight_is_in_one_block_or_between_the_first_and_the_second(family, pretrained_models, tmp_path):
    pretrained_models.write(family, tmp_path)
    frames = load_frames(str(tmp_path))

    blocks = [{id(values) for module in block for values in module.parameters()} for block in frames.blocks()]

    assert len(blocks) == 3  # the convolutions, and two of the transformer
    assert sum(map(len, blocks)) == len(set().union(*blocks))
    assert set().union(*blocks) <= {id(values) for values in frames.parameters()}
