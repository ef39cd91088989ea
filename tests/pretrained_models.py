"""Tiny random models of each family of transformers, as `save_pretrained` leaves them."""

import torch
import transformers

CONVOLUTIONS = {"conv_dim": (16, 16), "conv_stride": (20, 16), "conv_kernel": (25, 16), "num_feat_extract_layers": 2}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SPEECH = {**SMALL, **CONVOLUTIONS, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
WHISPER = {
    "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 48, "max_source_positions": 50,
    "decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48, "vocab_size": 9, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
CLAP = {
    "text_config": {**SMALL, "num_hidden_layers": 1, "vocab_size": 50},
    "audio_config": {"patch_embeds_hidden_size": 8, "hidden_size": 64, "depths": [1] * 4, "num_attention_heads": [1, 1, 2, 2]},
}
FAMILIES = {
    "wav2vec2": ("Wav2Vec2", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "wav2vec2 with stable norm": (
        "Wav2Vec2",
        SPEECH | {"do_stable_layer_norm": True, "feat_extract_norm": "layer"},
        lambda: transformers.Wav2Vec2FeatureExtractor(),
    ),
    "hubert": ("Hubert", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "wavlm": ("WavLM", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "data2vec": ("Data2VecAudio", SPEECH | {"num_conv_pos_embeddings": 2}, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "conformer": ("Wav2Vec2Conformer", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "whisper": ("Whisper", WHISPER, lambda: transformers.WhisperFeatureExtractor(chunk_length=1)),
    "ast": (
        "AST",
        SMALL | {"max_length": 128, "num_mel_bins": 32},
        lambda: transformers.ASTFeatureExtractor(max_length=128, num_mel_bins=32),
    ),
    "clap": ("Clap", CLAP, lambda: transformers.ClapFeatureExtractor(padding="repeatpad", truncation="rand_trunc")),
}


def write(family, folder):
    """Write a model of a family into a folder; return the model and its extractor."""
    name, options, make_extractor = FAMILIES[family]
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**options)).eval()
    extractor = make_extractor()
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model, extractor
