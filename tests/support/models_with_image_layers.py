"""A small model that holds the top of its image encoder, and the table columns for it."""

import torch
from transformers import ViTConfig

from tests.support.tiny_models import classifier, pretrainer, rows

SIDE, GRID, DIM = 16, 2, 16
# A class token and 4 x 4 patches.
POSITIONS = 17
NETWORK = ViTConfig(
    hidden_size=DIM,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    image_size=SIDE,
    patch_size=4,
)


def _changes(modalities):
    image = {
        "name": "transformers",
        "grid": GRID,
        "top_layers": 1,
        "image_size": SIDE,
        "config": NETWORK.to_dict(),
    }
    features = {"image": {"positions": POSITIONS, "dim": DIM}}
    return {"image_encoder": image, "features": features, "modalities": modalities}


def topped_classifier(seed=0, modalities=("text", "image")):
    return classifier(seed=seed, **_changes(modalities))


def topped_pretrainer(seed=0, modalities=("text", "image")):
    return pretrainer(seed=seed, **_changes(modalities))


def topped_batch(count=6):
    """Rows of `tiny`, their pictures as states below the top layer."""
    states = torch.randn(count, POSITIONS, DIM, generator=torch.Generator().manual_seed(0))
    return rows(count).batch(range(count)) | {"image_features": states}
