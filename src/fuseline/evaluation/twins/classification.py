"""The twin: logistic regression on the frozen encoders' features, the figure to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.tasks.linear import STRENGTHS, logistic
from fuseline.learning.tasks.scores import scores


@dataclass(frozen=True)
class Block:
    """Vectors of one modality.

    Attributes:
        values: (N, D) float32.
        present: (N,) bool, False where the row lacks the modality.
    """

    values: np.ndarray
    present: np.ndarray


def feature_blocks(data: MultimodalData, text_vectors: np.ndarray | None) -> dict[str, Block]:
    """One block per modality.

    Args:
        data: N rows; their features are averaged over positions. Of sounds there is the
            deviation too: positions are spans of time, and a mean alone hears no course.
        text_vectors: (N, D) vectors of the frozen text encoder; None without text.
    """
    blocks = {
        name: Block(_pooled(name, values), data.feature_mask[name])
        for name, values in data.features.items()
    }
    if text_vectors is not None:
        blocks["text"] = Block(text_vectors, data.text_mask)
    return blocks


def _pooled(name: str, values: np.ndarray) -> np.ndarray:
    """(N, P, D) float16 to (N, D) or (N, 2 D) float32, NaN positions left out."""
    if np.isnan(values[..., 0]).any():
        return np.asarray(np.nanmean(values, 1, dtype=np.float32))
    mean = values.mean(1, dtype=np.float32)
    if name != "audio":
        return np.asarray(mean)
    return np.concatenate([mean, values.std(1, dtype=np.float32)], axis=1)


def twin_metrics(
    data: MultimodalData, blocks: dict[str, Block], modalities: list[str], desc: str | None = None
) -> dict[str, dict[str, float]]:
    """Scores on the test split of the twin with all modalities, `twin`, and with each alone,
    `twin_<modality>_only`.

    A modality without a block leaves its twin to predict the commonest class.

    Args:
        data: labelled rows of all splits.
        blocks: of the same rows.
        modalities: those to have a twin of their own.
        desc: what the progress bar says; None for none.

    Raises:
        ContractError: the training split has fewer than two labels.
    """
    chosen = {"twin": list(blocks)} | {f"twin_{name}_only": [name] for name in modalities}
    test = data.splits == "test"
    return {
        key: scores(
            data.labels[test],
            predict_twin(data, [blocks[name] for name in sorted(names) if name in blocks])[test],
            len(data.label_names),
        )
        for key, names in tqdm(chosen.items(), desc=desc, unit="twin", disable=desc is None)
    }


def predict_twin(data: MultimodalData, blocks: list[Block]) -> np.ndarray:
    """Labels (N,) that the twin gives all rows.

    It is standardised and fitted on the training split; the penalty is the one with the best
    macro-F1 on the development split. Test rows play no part.
    """
    train, dev = data.splits == "train", data.splits == "dev"
    if len(np.unique(data.labels[train])) < 2:
        raise ContractError(
            "data/examples: the training split has fewer than two labels, so there is nothing to"
            " learn. Add training rows of another label."
        )
    inputs, size = standardised(blocks, train), len(data.label_names)
    best: tuple[float, np.ndarray] | None = None
    for strength in STRENGTHS:
        model = logistic(inputs[train], data.labels[train], strength, size=size)
        predictions = model(inputs).argmax(-1)
        score = scores(data.labels[dev], predictions[dev], size)["macro_f1"]
        if best is None or score > best[0]:
            best = (score, predictions)
    assert best is not None
    return best[1]


def standardised(blocks: list[Block], train: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1 over the training rows that have them; an absent
    modality is at the mean."""
    columns = [np.zeros((len(train), 1), dtype=np.float32)]
    for block in blocks:
        fitted = block.values[train & block.present]
        if not len(fitted):
            continue
        mean, deviation = fitted.mean(0), fitted.std(0)
        scaled = (block.values - mean) / np.where(deviation > 0, deviation, 1.0)
        columns.append(np.where(block.present[:, None], scaled, 0.0))
    return np.hstack(columns)
