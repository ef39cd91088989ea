"""What the files of architectures/ are as xval ships them, by which an edited one and one of the user's own are known."""

HASHES: dict[str, str] = {
    "_checks": "e7015cecc20c8643",
    "_de_layer": "666532ff14165d75",
    "_frames": "b1729e9a5dbafca3",
    "_layer_weights": "69e072a9d33e7729",
    "_masked_pooling": "790966b216fc8ec5",
    "_sinc_conv": "6d9587c3a5cf7100",
    "_transformer": "d9e97e45b699a8f7",
    "_vgg": "64fb99a6f515e7ac",
    "cnn_small": "6cf1a95ac9e39337",
    "cp_resnet": "33afcafd6990f4cb",
    "crnn": "2e440d30d4291b02",
    "daf_autoencoder": "59d799c2873a58ae",
    "daf_cnn": "814cec9eed146241",
    "denet": "a021d8e9f0f7b1b7",
    "encoder": "8578428db18ea07b",
    "fma_cnn": "f9676f4d52cdead9",
    "mlp": "cde85edafaf6e18f",
    "rnn_small": "8718273459918f03",
    "sincnet": "cf98c79ec307eed3",
    "vgg_mini": "811133a577b7b7f9",
    "vgg_net": "2ce5d456a7f36ccc",
    "vgg_pool": "da746dbd14672fd0",
    "vgg_ultramini": "773e9eb104025a88",
    "vggvox": "10bcfc965333527d",
}
"""The hash of each file (`xval.base.own_code.hash_file`) by its name; a test holds it to the files, and says what to write."""
