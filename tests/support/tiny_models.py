"""A model and rows small enough for a test, without any file."""

from collections.abc import Sequence

import numpy as np
import torch

from fuseline.data.dataset import MultimodalData
from fuseline.learning.model import FuselineConfig, FuselineForPreTraining, FuselineForTasks
from fuseline.learning.objectives.pretraining import OBJECTIVES
from fuseline.params.finetune import FreezingParams
from fuseline.params.pretrain import ObjectiveParams
from fuseline.params.training import FinetuneTrainingParams

SPECIAL = {"pad": 0, "cls": 2, "sep": 3, "mask": 4}
POSITIONS, DIM, VOCAB = 4, 12, 50
# Pieces that go on with a word.
CONTINUES_WORD = torch.arange(VOCAB) >= 30
# What a model and `rows` of every modality hold; video stands for one that no row has.
EVERY = ["text", "image", "audio", "video", "tabular"]
FEATURES = {
    "image": {"positions": POSITIONS, "dim": DIM},
    "audio": {"positions": 6, "dim": 8, "encoder": "conv"},
    "video": {"positions": 1, "dim": 1},
    "tabular": {"positions": 1, "dim": 5, "encoder": "perceptron"},
}


def config(
    kind: str = "attention", modalities: Sequence[str] = ("text", "image"), **changes: object
) -> FuselineConfig:
    text = {
        "model_type": "bert",
        "vocab_size": VOCAB,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
    }
    values = {
        "text_config": text if "text" in modalities else {},
        "features": {name: FEATURES[name] for name in modalities if name != "text"},
        "hidden_size": 16,
        "fusion": {
            "kind": kind,
            "num_layers": 2,
            "num_heads": 2,
            "num_bottleneck_tokens": 3,
            "dropout": 0.1,
        },
        "contrastive_size": 8,
        "special_tokens": SPECIAL,
        "tasks": [classification()],
    }
    return FuselineConfig(**(values | changes))


def classification(weight: float = 1.0) -> dict[str, object]:
    """An entry of `config.tasks`."""
    facts = {"labels": ["ant", "bee", "cat"]}
    return {
        "name": "label",
        "kind": "classification",
        "target": "label",
        "weight": weight,
        "head": {"kind": "pooled", "size": 3},
        "facts": facts,
    }


def classifier(kind: str = "attention", seed: int = 0, **changes: object):
    torch.manual_seed(seed)
    return FuselineForTasks(config(kind, **changes)).eval()


def pretrainer(kind: str = "attention", seed: int = 0, **changes: object):
    torch.manual_seed(seed)
    return FuselineForPreTraining(config(kind, **changes)).eval()


def tell_apart(model: FuselineForPreTraining) -> None:
    """Draw what marks modalities, present or absent: it starts at zero, by which one of them could
    stand for another unseen."""
    with torch.no_grad():
        for embedding in model.fuseline.embeddings.values():
            embedding.absent.normal_()
            embedding.modality.normal_()


def freezing(
    policy: str, top_k: int = 1, image_policy: str = "none", **lora: object
) -> FreezingParams:
    adapter = {
        "rank": 2,
        "alpha": 4.0,
        "dropout": 0.1,
        "targets": ["query", "value"],
        "image_targets": ["expand", "project"],
    }
    return FreezingParams.model_validate(
        {"policy": policy, "top_k": top_k, "image_policy": image_policy, "lora": adapter | lora}
    )


def training(**changes: object) -> FinetuneTrainingParams:
    values = {
        "num_epochs": 4,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "encoder_learning_rate": 1e-3,
        "image_learning_rate": 1e-3,
        "layer_decay": 1.0,
        "lr_scheduler": "cosine",
        "warmup_share": 0.1,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "early_stopping_patience": 4,
        "max_fall": 1.0,
    }
    return FinetuneTrainingParams.model_validate(values | changes)


def objective_params(**changes: object) -> ObjectiveParams:
    values: dict[str, object] = {
        "weights": dict.fromkeys(OBJECTIVES, 1.0),
        "mlm_masking": "token",
        "mlm_mask_share": 0.3,
        "itm_negatives": "random",
        "contrastive_queue_size": 0,
        "masked_features_share": 0.3,
    }
    return ObjectiveParams(**(values | changes))  # type: ignore[arg-type]


def rows(
    count: int = 12, seed: int = 0, modalities: Sequence[str] = ("text", "image")
) -> MultimodalData:
    """Rows of three classes; every fourth lacks its picture, every fifth its text, every third
    its sound, every seventh its cells, and all of them a video."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    ids = [
        np.concatenate([[2], random.integers(5, VOCAB, random.integers(2, 7)), [3]])
        for _ in range(count)
    ]
    features = random.normal(size=(count, POSITIONS, DIM))
    features[np.arange(count), :, labels] += 3.0
    values = {"image": features}
    for name in ("audio", "video", "tabular"):
        shape = FEATURES[name]
        values[name] = random.normal(size=(count, shape["positions"], shape["dim"]))
    every = np.arange(count)
    present = {
        "image": every % 4 != 3,
        "audio": every % 3 != 2,
        "video": every < 0,
        "tabular": every % 7 != 6,
    }
    names = [name for name in EVERY if name in modalities and name != "text"]
    return MultimodalData(
        example_ids=[f"row-{row:03d}" for row in range(count)],
        splits=np.array([("train", "train", "dev", "test")[row % 4] for row in range(count)]),
        groups=np.arange(count) // 2,
        langs=np.arange(count) % 2,
        input_ids=[row.astype(np.int64) for row in ids],
        text_mask=(every % 5 != 4) & ("text" in modalities),
        features={name: values[name].astype(np.float16) for name in names},
        feature_mask={name: present[name] for name in names},
        labels=labels.astype(np.int64),
        label_names=["ant", "bee", "cat"],
        pad_token_id=0,
    )
