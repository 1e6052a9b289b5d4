"""What checkpoints cost: the same training with and without them, at the size of the default model.

Weights and rows are random: MiniLM's shape with all of it trained, the fusion of `params.yaml`,
as many rows as the default training split. There are as many saves in two epochs as in more, so
that two are the harder case. Seconds of the processor are printed beside seconds of
the clock, since these tell little on a busy machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.workspace import ROOT
from fuseline.pipeline.stage import LIBRARY_SETTINGS

PARAMS = ROOT / "params.yaml"
MINILM: Mapping[str, Any] = {
    "model_type": "bert",
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
LABELS = [f"label {number}" for number in range(10)]
POSITIONS, DIM = 16, 1280
ROWS, DEV_ROWS, TOKENS = 1330, 285, 8


@dataclass
class Spent:
    """Seconds of the clock and of the processor."""

    clock: float = 0.0
    processor: float = 0.0
    times: int = 0

    @contextmanager
    def count(self) -> Iterator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        yield
        self.clock += time.perf_counter() - clock
        self.processor += time.process_time() - processor
        self.times += 1


def main(
    num_epochs: int = 2,
    num_rows: int = ROWS,
    text: Mapping[str, Any] = MINILM,
    params: Path = PARAMS,
) -> None:
    """Print what saves take of a training, and what the training takes without any.

    Args:
        num_epochs: of both trainings.
        num_rows: that are trained on.
        text: the text encoder's configuration.
        params: file with all else.
    """
    for variable, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(variable, value)
    whole, saves, size = measure(num_epochs, num_rows, text, params, saving=True)
    without, _, _ = measure(num_epochs, num_rows, text, params, saving=False)
    print(f"{saves.times} saves of {size / 1e6:.0f} MB in {num_epochs} epochs")
    print(f"{'':<24}{'clock':>10}{'processor':>12}")
    for name, spent in (("with saves", whole), ("saves alone", saves), ("without saves", without)):
        print(f"{name:<24}{spent.clock:>9.1f}s{spent.processor:>11.1f}s")
    shares = saves.clock / whole.clock, saves.processor / whole.processor
    print(f"{'share of saves':<24}{shares[0]:>10.2%}{shares[1]:>12.2%}")


def measure(
    num_epochs: int, num_rows: int, text: Mapping[str, Any], file: Path, *, saving: bool
) -> tuple[Spent, Spent, int]:
    """What a training took, what its saves took of that, and bytes of the last checkpoint."""
    from transformers import TrainerCallback

    from fuseline.config import load_section
    from fuseline.learning.objectives.supervised import Supervised
    from fuseline.learning.tasks.classification import Classification
    from fuseline.learning.training import loop
    from fuseline.learning.training.development import Development
    from fuseline.params.base import BaseParams
    from fuseline.params.finetune import FinetuneParams
    from fuseline.pipeline.precision import make_deterministic

    base = load_section("base", BaseParams, file)
    params = load_section("finetune", FinetuneParams, file)
    make_deterministic(base.seed, base.num_threads)
    task = Classification("label", {"labels": LABELS})
    training = params.training.model_copy(
        update={"num_epochs": num_epochs, "early_stopping_patience": num_epochs}
    )
    whole, saves = Spent(), Spent()

    class Timed(loop.FuselineTrainer):
        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            with saves.count():
                super()._save_checkpoint(model, trial)

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(loop, "FuselineTrainer", Timed),
        patch.object(loop, "EvenSaves", loop.EvenSaves if saving else TrainerCallback),
        whole.count(),
    ):
        loop.train(
            model(text, file),
            Supervised([task], [1.0], params.modality_dropout, params.label_smoothing, 1.0),
            rows(num_rows, base.seed),
            Development([task], rows(DEV_ROWS, base.seed + 1), base.precision),
            params=training,
            selection=loop.Selection("macro_f1", greater_is_better=True),
            seed=base.seed,
            precision=base.precision,
            work=Path(folder),
        )
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = max((path.stat().st_size for path in files), default=0)
    return whole, saves, size


def model(text: Mapping[str, Any], file: Path) -> Any:
    """A task model with random weights in the shape that the params say."""
    from fuseline.config import load_section
    from fuseline.learning.model import FuselineConfig, FuselineForTasks
    from fuseline.params.pretrain import PretrainParams

    shape = load_section("pretrain", PretrainParams, file).model
    head = {"kind": "pooled", "size": len(LABELS)}
    task = {"name": "label", "kind": "classification", "target": "label", "weight": 1.0}
    return FuselineForTasks(
        FuselineConfig(
            text_config=dict(text),
            features={"image": {"positions": POSITIONS, "dim": DIM}},
            hidden_size=shape.hidden_size,
            fusion=shape.fusion.model_dump(),
            contrastive_size=shape.contrastive_size,
            special_tokens={"pad": 0, "cls": 101, "sep": 102, "mask": 103},
            tasks=[task | {"head": head, "facts": {"labels": LABELS}}],
        )
    )


def rows(count: int, seed: int) -> Any:
    """Rows of random words and features, whose labels both tell a little."""
    import numpy as np

    from fuseline.data.dataset import MultimodalData

    random = np.random.default_rng(seed)
    labels = random.integers(0, len(LABELS), count)
    features = random.normal(size=(count, POSITIONS, DIM))
    features[np.arange(count), :, labels] += 1.0
    words = random.integers(1000, 30522, (count, TOKENS))
    return MultimodalData(
        example_ids=[f"row-{row:05d}" for row in range(count)],
        splits=np.full(count, "train"),
        groups=np.arange(count),
        langs=np.zeros(count, dtype=np.int64),
        input_ids=list(words),
        text_mask=np.ones(count, dtype=bool),
        features={"image": features.astype(np.float16)},
        feature_mask={"image": np.ones(count, dtype=bool)},
        labels=labels,
        label_names=LABELS,
        pad_token_id=0,
    )


if __name__ == "__main__":
    main()
