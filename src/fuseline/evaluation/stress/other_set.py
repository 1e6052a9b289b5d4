"""Rows of another set, as a model of this one takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.contracts import EXAMPLES, image_places, iter_shards, read_table
from fuseline.data.dataset import NO_LABEL, MultimodalData
from fuseline.data.modalities.audio.features import LogMelEncoder
from fuseline.data.modalities.audio.log_mel import LOG_MEL
from fuseline.data.modalities.extraction.extract import ABSENT_SHAPE, Encoder
from fuseline.data.modalities.extraction.stored_media import by_place, row_media
from fuseline.data.modalities.image.encoder import PictureEncoder
from fuseline.data.sources.synthetic import SyntheticSource
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.sampling import sample
from fuseline.evaluation.stress.base import Context
from fuseline.params.ingest import IngestParams, SyntheticParams

COLUMNS = ["example_id", "text", "image", "audio"]
# Of rows that are rendered: enough labels and pixels for them to differ from one another.
NUM_CLASSES = 16
IMAGE_SIZE = 96


def read_elsewhere(context: Context) -> MultimodalData:
    """At most `out_of_distribution.max_rows` rows of the other set, without labels.

    Text is tokenised, pictures and sounds are encoded as those of the test rows were. Left out are
    modalities that would take long or need what only this set has: videos, table columns, sounds
    of a frozen encoder; and those that no row of this set has.

    Raises:
        ConfigError: the folder is not there.
        ContractError: it is no examples table of this version, or a medium cannot be decoded.
    """
    params = context.params.out_of_distribution
    if params.examples is None:
        table = _rendered(params.max_rows, context.modalities)
    else:
        table = _sampled(Path(params.examples), params.max_rows)
    encoded = {
        name: _encode(
            table,
            name,
            encoder,
            context.test.features[name].shape[1:],
            image_places(context.examples) if name == "image" else 1,
        )
        for name, encoder in _encoders(context).items()
    }
    texts = table.column("text").to_pylist()
    with_text = "text" in context.modalities
    return MultimodalData(
        example_ids=table.column("example_id").to_pylist(),
        splits=np.full(len(table), "test"),
        groups=np.arange(len(table)),
        langs=np.zeros(len(table), dtype=np.int64),
        input_ids=context.tokenised(texts),
        text_mask=np.array([with_text and text is not None for text in texts]),
        features={name: values for name, (values, _) in encoded.items()},
        feature_mask={name: present for name, (_, present) in encoded.items()},
        pad_token_id=context.test.pad_token_id,
        labels=np.full(len(table), NO_LABEL, dtype=np.int64),
    )


def _rendered(num_rows: int, modalities: Sequence[str]) -> pa.Table:
    """Rows of the source `synthetic` that have every modality among `COLUMNS` that takes part."""
    rendered = [name for name in COLUMNS[1:] if name in modalities]
    params = SyntheticParams.model_validate(
        {
            "modalities": rendered or ["text"],
            "num_rows": num_rows,
            "num_classes": NUM_CLASSES,
            "image_size": IMAGE_SIZE,
        }
    )
    # The source reads no other part of its section.
    section: Any = IngestParams
    source = SyntheticSource(section.model_construct(synthetic=params))
    rows = [
        {
            "example_id": row.example_id,
            "text": row.text,
            "image": row.image and vars(row.image),
            "audio": row.audio and vars(row.audio),
        }
        for row in source.rows()
    ]
    return pa.Table.from_pylist(rows, pa.schema([EXAMPLES.field(name) for name in COLUMNS]))


def _sampled(folder: Path, max_rows: int) -> pa.Table:
    """Rows of an examples table, of whatever split."""
    if not folder.is_dir():
        raise ConfigError(
            f"stress.out_of_distribution.examples: expected a folder with an examples table, such"
            f" as data/examples of another run; found none at '{folder}'."
        )
    ids = read_table(folder, EXAMPLES, "examples", ["example_id"]).column("example_id").to_pylist()
    chosen = pa.array([ids[row] for row in sample(ids, max_rows)], pa.string())
    return pa.concat_tables(
        [
            table.filter(pc.is_in(table.column("example_id"), value_set=chosen))
            for _, table in iter_shards(folder, EXAMPLES, "examples", COLUMNS)
        ]
    )


def _encoders(context: Context) -> dict[str, Encoder]:
    """By modality that takes part, for which it is cheap, and which some row of this set has."""
    params = context.extract_features
    known = [
        name for name, values in context.test.features.items() if values.shape[1:] != ABSENT_SHAPE
    ]
    found: dict[str, Encoder] = {}
    if "image" in known:
        found["image"] = PictureEncoder(params.image, context.base.precision)
    if "audio" in known and params.audio.encoder == LOG_MEL:
        found["audio"] = LogMelEncoder(params.audio)
    return found


def _encode(
    table: pa.Table, name: str, encoder: Encoder, shape: tuple[int, ...], places: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, P, D) float16, zeros where absent, and which rows have them."""
    positions, dim = encoder.shape
    if (places * positions, dim) != shape:
        raise ContractError(
            f"data/features/{name}: expected features of shape {tuple(encoder.shape)}, as"
            f" extract_features.{name} gives them; found {shape}. Run `dvc repro`."
        )
    media = row_media(table, [name])
    values = np.zeros((len(media), *encoder.shape), dtype=np.float16)
    present = np.array([medium is not None for medium in media], dtype=bool)
    rows = np.flatnonzero(present)
    for row, vector in zip(rows, encoder.encode([m for m in media if m is not None]), strict=True):
        if vector is None:
            present[row] = False
        else:
            values[row] = vector
    # Where models take several pictures a row, these rows have their first.
    first = np.zeros((len(values), places, *values.shape[1:]), dtype=np.float16)
    first[:, 0] = values
    there = np.zeros((len(values), places), dtype=bool)
    there[:, 0] = present
    return by_place(first.reshape(-1, *values.shape[1:]), there.reshape(-1), places), present
