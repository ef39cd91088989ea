"""A model that xval has trained makes the features of another one, unless it has seen what that one tests."""

import numpy as np
import pytest

from preprocessing.embeddings.embedder import identify, load_embedder
from preprocessing.embeddings.examples import embed_pieces
from xval.base.errors import SettingsError
from xval.experiment.check_instance import check_embedder
from xval.folds.plan import Fold
from xval.reuse.inference import load_model


def test_a_keras_file_gives_what_xval_embed_gives(save_untrained, make_settings):
    path = save_untrained.save() / "model.keras"
    clips = (0.1 * np.random.default_rng(0).normal(size=(2, 2000))).astype(np.float32)
    settings = make_settings(features="embedding", embedding_model=f"keras:{path}", sample_rate_hz=8000)
    assert identify(settings).sample_rate_hz == 8000
    n_layers = load_embedder(settings).n_layers
    for layer, dropped in (("last", 1), (1, n_layers - 1)):
        wanted = settings.model_copy(update={"embedding_layer": layer})
        expected = load_model(path).embed(list(clips), layers_dropped=dropped, sample_rate_hz=8000).iloc[:, 3:]
        np.testing.assert_allclose(embed_pieces(clips, wanted, None), expected, atol=1e-5)
    with pytest.raises(SettingsError, match="its layers have different sizes"):
        embed_pieces(clips, settings.model_copy(update={"embedding_layer": "weighted"}), None)


def test_an_embedder_that_has_heard_what_is_tested_is_refused(save_untrained, make_settings):
    path, corpus = save_untrained.save() / "model.keras", save_untrained.corpus
    settings = make_settings(dataset="tones", features="embedding", embedding_model=f"keras:{path}")
    assert check_embedder(settings, [Fold(1, ("s0", "s1"), ("s2",), ("s3",))], corpus.folder) == []
    with pytest.raises(SettingsError, match=r"fold 2: embedding_model: .*s0"):
        check_embedder(settings, [Fold(2, ("s1", "s3"), ("s2",), ("s0",))], corpus.folder)
