"""Trainings that `trainer` lets compete: Transformers' Trainer in two ways, and ours.

All start from the same text encoder, on the same tokens, and go through the whole loop of a
`train` call in every piece: batches, loss, backward pass, clipping, optimizer, schedule. The first
step of a piece is not timed; it makes the optimizer's state.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from torch.nn import functional
from transformers import (
    BertForMaskedLM,
    BertForSequenceClassification,
    DataCollatorForLanguageModeling,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.modeling_outputs import MaskedLMOutput

from benchmarks.banking77 import sections
from benchmarks.contestants import Piece, Work
from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.text.encoder import load_text_encoder, text_config
from fuseline.data.modalities.text.word_pieces import continuing_pieces
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.model.modeling import FuselineForPreTraining
from fuseline.learning.objectives.base import Objective
from fuseline.learning.objectives.mlm import MaskedLanguageModelling
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.labelled import build_tasks, learn_tasks, with_labels
from fuseline.learning.training.development import load_rows
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.loop import Selection, train
from fuseline.learning.training.words import occurring_words
from fuseline.params.training import TrainingParams
from fuseline.pipeline.precision import make_deterministic, use_bf16

MASKED_SHARE = 0.15
Changes = Mapping[str, Any]


class Clock(TrainerCallback):
    """Times some steps behind the first, counts the tokens that the model saw in them, padding left
    out, and ends the training."""

    def __init__(self, model: nn.Module, num_steps: int) -> None:
        self.num_steps = num_steps
        self.tokens = 0
        self.started = self.seconds = 0.0
        self.hook = model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del module, args
        self.tokens += int(kwargs["attention_mask"].sum())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, kwargs
        if state.global_step == 1:
            self.tokens, self.started = 0, time.process_time()
        elif state.global_step == 1 + self.num_steps:
            self.seconds = time.process_time() - self.started
            control.should_training_stop = True
            self.hook.remove()

    @property
    def piece(self) -> Piece:
        return Piece(self.seconds, self.tokens)


class MaskedHead(BertForMaskedLM):
    """Computes the vocabulary's logits at masked positions only."""

    def forward(  # the Trainer hands over the columns that are named here
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
    ) -> MaskedLMOutput:
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        masked = labels >= 0
        logits = self.cls(states[masked])
        return MaskedLMOutput(loss=functional.cross_entropy(logits.float(), labels[masked]))


def masked_language(folder: Path, changes: Changes, size: tuple[int, int, int], way: str) -> Work:
    """Masked language modelling.

    Args:
        folder: what `prepare` of `trainer` wrote.
        changes: to the shipped params.
        size: rows a batch, tokens that the examples' way pads to, steps a piece.
        way: `examples`, `tuned` or `ours`.
    """
    make_deterministic(0, 1)
    batch_size, padded, num_steps = size
    read = Read.of(folder, changes)
    if way == "ours":
        params = read.params["pretrain"]
        model = FuselineForPreTraining.from_pretrained(folder / "pretrained")
        pieces = continuing_pieces(folder / "tokenizer")
        objective = MaskedLanguageModelling(params.objectives, pieces)
        return _ours(model, objective, read.rows, params.training, batch_size, num_steps)
    kind = MaskedHead if way == "tuned" else BertForMaskedLM
    bert = _with_encoder(kind(text_config(folder / "tokenizer")), folder)
    collator = DataCollatorForLanguageModeling(
        read.tokenizer,
        mlm_probability=MASKED_SHARE,
        pad_to_multiple_of=8 if way == "tuned" else None,
    )
    data = _dataset(read, None if way == "tuned" else padded)
    return _theirs(bert, data, collator, batch_size, num_steps, tuned=way == "tuned")


def classification(
    folder: Path, changes: Changes, size: tuple[int, int, int], way: str, frozen: bool
) -> Work:
    """Fine-tuning on labels, the encoder frozen or trained; see `masked_language`."""
    make_deterministic(0, 1)
    batch_size, padded, num_steps = size
    read = Read.of(folder, changes)
    if way == "ours":
        return _our_classifier(folder, read, batch_size, num_steps, frozen=frozen)
    config = text_config(folder / "tokenizer")
    config.num_labels = len(read.rows.label_names)
    bert = _with_encoder(BertForSequenceClassification(config), folder)
    if frozen:
        bert.bert.embeddings.requires_grad_(False)
        bert.bert.encoder.requires_grad_(False)
    collator = DataCollatorWithPadding(read.tokenizer, pad_to_multiple_of=8)
    data = _dataset(read, None if way == "tuned" else padded)
    data = data.add_column("labels", read.rows.labels.tolist())
    return _theirs(bert, data, collator, batch_size, num_steps, tuned=way == "tuned")


def matrix_weights(model: nn.Module) -> int:
    """Weights of linear layers: multiply-adds of a token that goes through all of them."""
    return sum(one.weight.numel() for one in model.modules() if isinstance(one, nn.Linear))


@dataclass(frozen=True)
class Read:
    """What all ways start from: params, training rows with their labels, the task's entry of a
    model's configuration, and the tokenizer."""

    params: dict[str, Any]
    rows: MultimodalData
    entries: list[dict[str, Any]]
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def of(cls, folder: Path, changes: Changes) -> Read:
        params = sections(changes)
        processor = FuselineProcessor.from_pretrained(folder / "pretrained")
        data, cells = load_rows(
            folder / "tokens", folder / "features", folder / "examples", processor, params["base"]
        )
        entries = learn_tasks(cells, params["finetune"])
        rows = with_labels(data, cells, entries).select("train")
        return cls(params, rows, entries, processor.tokenizer)


def _with_encoder(bert: Any, folder: Path) -> Any:
    bert.bert.load_state_dict(load_text_encoder(folder / "tokenizer").state_dict(), strict=False)
    return bert


def _dataset(read: Read, width: int | None) -> Dataset:
    """The rows as the examples' scripts have them: padded to one width, or as long as they are."""
    columns: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": []}
    for row in read.rows.input_ids:
        ids = row.tolist()[:width]
        room = (width or len(ids)) - len(ids)
        columns["input_ids"].append(ids + [read.tokenizer.pad_token_id] * room)
        columns["attention_mask"].append([1] * len(ids) + [0] * room)
    return Dataset.from_dict({**columns, "length": read.rows.lengths.tolist()})


def _theirs(
    model: Any,
    data: Dataset,
    collator: Callable[[list[Any]], Any],
    batch_size: int,
    num_steps: int,
    *,
    tuned: bool,
) -> Work:
    def work(turn: int) -> Piece:
        clock = Clock(model, num_steps)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=batch_size,
                max_steps=10_000,
                seed=turn,
                use_cpu=True,
                bf16=tuned and use_bf16("auto"),
                train_sampling_strategy="group_by_length" if tuned else "random",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            )
            trainer = Trainer(
                model, arguments, data_collator=collator, train_dataset=data, callbacks=[clock]
            )
            with redirect_stdout(sys.stderr):
                trainer.train()
        return clock.piece

    return work


def _our_classifier(
    folder: Path, read: Read, batch_size: int, num_steps: int, *, frozen: bool
) -> Work:
    section = read.params["finetune"]
    freezing = section.freezing.model_copy(update={"policy": "all" if frozen else "none"})
    model = FuselineForTasks.from_pretrained(
        folder / "pretrained",
        tasks=read.entries,
        classifier_dropout=section.classifier_dropout,
        freezing=freezing.model_dump(),
    )
    apply_freezing(model, freezing)
    # Left open: the process ends with the last step.
    occurring_words(model, read.rows).__enter__()
    objective = Supervised(
        build_tasks(read.entries),
        [1.0],
        section.modality_dropout,
        section.label_smoothing,
        section.unimodal_weight,
    )
    return _ours(model, objective, read.rows, section.training, batch_size, num_steps)


def _ours(
    model: Any,
    objective: Objective,
    rows: MultimodalData,
    params: TrainingParams,
    batch_size: int,
    num_steps: int,
) -> Work:
    training = params.model_copy(update={"num_epochs": 1000, "batch_size": batch_size})

    def work(turn: int) -> Piece:
        clock = Clock(model, num_steps)
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            train(
                model,
                objective,
                rows,
                lambda _: {"loss": 0.0},
                params=training,
                selection=Selection("loss", greater_is_better=False),
                seed=turn,
                precision="auto",
                work=Path(folder),
                callbacks=[clock],
            )
        return clock.piece

    return work
