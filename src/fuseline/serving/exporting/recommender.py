"""What recommending needs beside the model: every item's vector, people's histories, their tower.

Shapes: N items, S width of the towers, L events of a history.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.numpy import save_file

from fuseline.contracts import EXAMPLES, TEXT_JOINT, read_table, write_json
from fuseline.data.dataset import MultimodalData
from fuseline.data.histories import Histories
from fuseline.data.interactions import Interactions, load_interactions
from fuseline.learning.recommending.scorer import Scorer, encode_items
from fuseline.serving.exporting.graphs import write_person_graph
from fuseline.serving.exporting.shown import thumbnails
from fuseline.serving.recommending.files import (
    ALONE,
    FACTS_FILE,
    FOLDER,
    HISTORIES,
    HISTORIES_FILE,
    ITEMS,
    ITEMS_FILE,
    NEIGHBOUR_WEIGHTS,
    NEIGHBOURS,
    USER_FILE,
    VECTORS_FILE,
    VERSION,
    Facts,
)


def write_recommender(
    model: Any,
    items: MultimodalData,
    examples: Path,
    interactions: Path,
    export: Path,
    pixels: int,
) -> None:
    """Write the folder `recommender` of an export: as of the second after the last event.

    Args:
        model: of recommendations, in evaluation mode; its items are encoded anew.
        items: N of them.
        examples: their table, for what is shown of them.
        interactions: the table of events.
        export: folder of the export.
        pixels: a side, of the pictures that are shown; 0 for none.

    Raises:
        ContractError: tables that are not of one run.
    """
    folder = export / FOLDER
    folder.mkdir()
    events = load_interactions(interactions, items.example_ids)
    model.heads[0].content.keep(encode_items(model, items))
    as_of = int(events.time[-1]) + 1
    scorer = Scorer(model, events, as_of)
    modalities = list(model.config.modalities) if len(model.config.modalities) > 1 else []
    tensors = {"vectors": scorer.vectors.numpy(), "bias": scorer.bias.numpy()}
    for name in modalities:
        tensors[ALONE + name] = _alone(model, items, name)
    neighbours = scorer.neighbours
    if neighbours is not None:
        tensors |= {NEIGHBOURS: neighbours.items, NEIGHBOUR_WEIGHTS: neighbours.weights}
    save_file(tensors, folder / VECTORS_FILE)
    shown = _shown(examples, items, events, pixels)
    pq.write_table(shown, folder / ITEMS_FILE)
    pq.write_table(_histories(events), folder / HISTORIES_FILE)
    facts = model.config.tasks[0]["facts"]
    write_person_graph(model.heads[0].person, facts["history"], folder / USER_FILE)
    found = Facts(
        version=VERSION,
        as_of=as_of,
        history=facts["history"],
        num_items=len(items),
        width=facts["width"],
        neighbours=neighbours.items.shape[1] if neighbours else 0,
        modalities=modalities,
    )
    write_json(folder / FACTS_FILE, found.model_dump())


def _alone(model: Any, items: MultimodalData, modality: str) -> np.ndarray:
    """(N, S) what the content of a modality says of the items by itself."""
    with torch.inference_mode():
        content = model.heads[0].content(encode_items(model, items, only=modality))
    return np.asarray(content)


def _shown(examples: Path, items: MultimodalData, events: Interactions, pixels: int) -> pa.Table:
    """What is shown of the items, and filtered by, in their order."""
    table = read_table(examples, EXAMPLES, "examples", ["example_id", "text", "tabular"])
    texts = [text and text.replace(TEXT_JOINT, " ") for text in table.column("text").to_pylist()]
    counts = np.bincount(events.item, minlength=len(items))
    taken, first = np.unique(events.item, return_index=True)
    began = dict(zip(taken.tolist(), events.time[first].tolist(), strict=True))
    pictures = thumbnails(examples, items.example_ids, pixels)
    columns = [
        table.column("example_id"),
        pa.array(texts, pa.string()),
        table.column("tabular"),
        pa.array(counts, pa.int64()),
        pa.array([began.get(row) for row in range(len(items))], pa.int64()),
        pa.array([pictures.get(one) for one in items.example_ids], pa.binary()),
    ]
    return pa.table(columns, schema=ITEMS)


def _histories(events: Interactions) -> pa.Table:
    """All events by person, in the order of names; each one's from the oldest on."""
    histories = Histories.of(events)
    order = sorted(np.unique(events.user).tolist(), key=lambda user: events.users[user])
    spans = [slice(histories.starts[user], histories.starts[user + 1]) for user in order]
    columns = [
        pa.array([events.users[user] for user in order], pa.string()),
        pa.array([histories.item[span].tolist() for span in spans], pa.list_(pa.int32())),
        pa.array([histories.time[span].tolist() for span in spans], pa.list_(pa.int64())),
    ]
    return pa.table(columns, schema=HISTORIES)
