"""Fine-tuning begins from a pre-trained model."""

import logging
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch

from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.training import finetune
from fuseline.params.base import BaseParams
from tests.support.tasks import cells, entry, params
from tests.support.tiny_models import classification, freezing, pretrainer, rows, training

BASE = BaseParams(seed=3, modalities=["text", "image"], num_threads=1, precision="fp32")
TRANSFORMERS = logging.getLogger("transformers.modeling_utils")


@pytest.fixture
def said():
    """What Transformers says as it loads; its loggers pass nothing on."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    TRANSFORMERS.addHandler(handler)
    yield messages
    TRANSFORMERS.removeHandler(handler)


def test_a_new_decoder_is_no_damage(tmp_path, monkeypatch, said):
    """Its shared matrix is in no pre-trained model, which Transformers takes for corruption."""
    found = cells("generation", 48)
    one = entry("generation", found)
    (task,) = build_tasks([one])
    data = replace(found.data, labels=task.labels(found), label_names=[])
    processor = Mock()
    processor.from_pretrained.return_value = processor
    for name, value in {
        "FuselineProcessor": processor,
        "learn_tasks": Mock(return_value=[one]),
        "load_rows": Mock(return_value=(data, None)),
        "with_labels": lambda rows, *_: rows,
        "write_model_card": Mock(),
        "make_deterministic": Mock(),
    }.items():
        monkeypatch.setattr(finetune, name, value)
    pretrainer().save_pretrained(tmp_path / "pretrained")
    asked = params().model_copy(
        update={"training": training(num_epochs=1), "freezing": freezing("none")}
    )
    folders = tmp_path / "pretrained", tmp_path, tmp_path, tmp_path, tmp_path / "finetuned"
    torch.manual_seed(0)
    finetune.finetune(*folders, params=asked, base=BASE, work=tmp_path / "work")
    assert not [message for message in said if "tied weights" in message]


def test_other_damage_is_still_told(said):
    tied = "The tied weights mapping for this model specifies to tie"
    with finetune._new_decoders():
        TRANSFORMERS.warning("%s heads.0.decoder.a to heads.0.decoder.b", tied)
        TRANSFORMERS.warning("%s fuseline.a to fuseline.b", tied)
        TRANSFORMERS.warning("another")
    TRANSFORMERS.warning("%s heads.0.decoder.a to heads.0.decoder.b", tied)
    assert [message.removeprefix(tied) for message in said] == [
        " fuseline.a to fuseline.b", "another", " heads.0.decoder.a to heads.0.decoder.b"
    ]  # fmt: skip


@pytest.mark.parametrize("max_rows", [0, 1000])
def test_up_to_so_many_rows_there_is_a_probe(tmp_path, monkeypatch, max_rows):
    processor = Mock()
    processor.from_pretrained.return_value = processor
    for name, value in {
        "FuselineProcessor": processor,
        "learn_tasks": Mock(return_value=[classification()]),
        "load_rows": Mock(return_value=(rows(48), None)),
        "with_labels": lambda data, *_: data,
        "write_model_card": Mock(),
        "make_deterministic": Mock(),
    }.items():
        monkeypatch.setattr(finetune, name, value)
    pretrainer().save_pretrained(tmp_path / "pretrained")
    asked = params().model_copy(
        update={"training": training(num_epochs=1), "linear_probe_max_rows": max_rows}
    )
    folders = tmp_path / "pretrained", tmp_path, tmp_path, tmp_path, tmp_path / "finetuned"
    metrics, _ = finetune.finetune(*folders, params=asked, base=BASE, work=tmp_path / "work")
    assert (metrics["probe_share"] > 0) == (max_rows > 0)
