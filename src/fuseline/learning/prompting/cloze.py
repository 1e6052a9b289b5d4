"""Cloze templates with a verbaliser (PET: Schick & Schütze 2020, arXiv 2001.07676).

Shapes: B batch, M masks, K words of all labels together, C classes, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import MultimodalData, pad
from fuseline.errors import ConfigError
from fuseline.learning.model.passes import length_batches
from fuseline.learning.prompting.base import Material
from fuseline.learning.prompting.calibration import calibrate
from fuseline.learning.prompting.fitting import fit, open_for_training
from fuseline.learning.prompting.vectors import longest_text
from fuseline.learning.prompting.words import plain_ids
from fuseline.params.prompt import PromptParams
from fuseline.pipeline.precision import autocast

BATCH = 64


class Verbaliser:
    """Log-probabilities at masks to scores of classes.

    All rows get M masks, as many as the longest word has pieces; a word of p pieces is read off
    the first p of them, its score is the mean over its pieces and a class's the mean over its
    words. So one forward pass serves all words (PET runs one per number of masks), and a long
    word does not lose for being long.

    Args:
        tokenizer: of the model.
        words: C lists of words.

    Raises:
        ConfigError: a word without any piece.
    """

    def __init__(self, tokenizer: Any, words: Sequence[Sequence[str]]) -> None:
        pieces, owners = [], []
        for label, of_label in enumerate(words):
            for word in of_label:
                # In the middle of a sentence: byte-level tokenizers mark the space in front.
                ids = plain_ids(tokenizer, f" {word.strip()}")
                if not ids:
                    raise ConfigError(
                        f"prompt.label_words: the tokenizer finds nothing in the word '{word}'."
                        " Name another word for its label."
                    )
                pieces.append(torch.tensor(ids))
                owners.append(label)
        self.num_masks = max(map(len, pieces))
        self.pieces = torch.zeros(len(pieces), self.num_masks, dtype=torch.long)
        self.weights = torch.zeros(len(pieces), self.num_masks)
        for row, of_word in enumerate(pieces):
            self.pieces[row, : len(of_word)] = of_word
            self.weights[row, : len(of_word)] = 1 / len(of_word)
        self.membership = functional.one_hot(torch.tensor(owners)).float()
        self.membership /= self.membership.sum(0)

    def scores(self, logits: Tensor) -> Tensor:
        """Scores (B, C) of vocabulary logits (B, M, V) at the masks."""
        log_probabilities = functional.log_softmax(logits.float(), dim=-1)
        at_pieces = log_probabilities[:, torch.arange(self.num_masks), self.pieces]
        return (at_pieces * self.weights).sum(-1) @ self.membership


class ClozeInput:
    """Rows in a template, masks in place of the label.

    Raises:
        ConfigError: the template alone is longer than the text encoder reads.
    """

    def __init__(self, model: Any, tokenizer: Any, template: str, num_masks: int) -> None:
        self.special = model.config.special_tokens
        longest = longest_text(model)
        parts = template.replace("{label}", "{text}").split("{text}")
        text_first = template.index("{text}") < template.index("{label}")
        ids = [plain_ids(tokenizer, part) for part in parts]
        masks = [self.special["mask"]] * num_masks
        start, end = [self.special["cls"]], [self.special["sep"]]
        if text_first:
            self.before, self.after = [*start, *ids[0]], [*ids[1], *masks, *ids[2], *end]
        else:
            self.before, self.after = [*start, *ids[0], *masks, *ids[1]], [*ids[2], *end]
        self.room = longest - len(self.before) - len(self.after)
        if self.room < 0:
            raise ConfigError(
                f"prompt.cloze.template: {longest - self.room} tokens with its masks, but the text"
                f" encoder reads {longest}. Shorten it, or name long labels by shorter"
                " `prompt.label_words`."
            )

    def batch(self, data: MultimodalData, rows: np.ndarray) -> dict[str, Tensor]:
        """The rows' batch with the filled-in template as text; a row without text has the template
        alone. Its other modalities are as they are."""
        batch = data.batch(rows)
        texts = [self._fill(data.input_ids[row]) for row in rows]
        batch["input_ids"], batch["attention_mask"] = pad(texts, data.pad_token_id)
        return batch | {"text_mask": torch.ones(len(rows), dtype=torch.bool)}

    def content_free(self, data: MultimodalData) -> dict[str, Tensor]:
        """One row of nothing but the template."""
        batch = self.batch(data, np.array([0]))
        alone = np.array([*self.before, *self.after], dtype=np.int64)
        batch["input_ids"], batch["attention_mask"] = pad([alone], data.pad_token_id)
        absent = {f"{name}_mask": torch.zeros(1, dtype=torch.bool) for name in data.features}
        return batch | absent

    def _fill(self, input_ids: np.ndarray) -> np.ndarray:
        # All of them: a text may spell out "[MASK]", and only the template's masks are read.
        text = input_ids[~np.isin(input_ids, list(self.special.values()))]
        return np.array([*self.before, *text[: self.room], *self.after], dtype=np.int64)


class Cloze:
    """The masked-language head fills a blank, and label words say what that means.

    With shots the model is trained by cross-entropy over the class scores, as PET does, but
    without its auxiliary language-model loss, its ensemble and its distillation.
    """

    variants: ClassVar[tuple[str, ...]] = ("cloze", "cloze_calibrated")
    needs_words: ClassVar[bool] = True

    def __init__(self, material: Material) -> None:
        self.material = material
        self.verbaliser = Verbaliser(material.tokenizer, material.words.verbaliser())
        self.inputs = ClozeInput(
            material.model,
            material.tokenizer,
            material.params.cloze.template,
            self.verbaliser.num_masks,
        )

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        return params.shots

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        model = self._trained(rows, seed) if len(rows) else self.material.model
        test = self.material.test
        scores = np.zeros((len(test), len(test.label_names)), dtype=np.float32)
        for batch in length_batches(test, np.arange(len(test)), BATCH):
            scores[batch] = self._read(model, self.inputs.batch(test, batch))
        content_free = self._read(model, self.inputs.content_free(test))[0]
        return {"cloze": scores, "cloze_calibrated": calibrate(scores, content_free)}

    @cached_property
    def _learner(self) -> Any:
        model = copy.deepcopy(self.material.model)
        open_for_training(model, encoder=self.material.params.cloze.train_encoder)
        return model

    def _trained(self, rows: np.ndarray, seed: int) -> Any:
        model, data = self._learner, self.material.data
        model.load_state_dict(self.material.model.state_dict())

        def loss_of(batch: np.ndarray) -> Tensor:
            scores = self._class_scores(model, self.inputs.batch(data, batch))
            return functional.cross_entropy(scores, torch.from_numpy(data.labels[batch]))

        fit(
            model,
            loss_of,
            rows,
            self.material.params.training,
            seed=seed,
            precision=self.material.base.precision,
        )
        return model

    def _read(self, model: Any, batch: dict[str, Tensor]) -> np.ndarray:
        with torch.inference_mode(), autocast(self.material.base.precision):
            return np.asarray(self._class_scores(model, batch).float().numpy())

    def _class_scores(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        states = model(**batch).states["text"]
        at_masks = states[batch["input_ids"] == model.config.special_tokens["mask"]]
        logits = model.mlm_logits(at_masks)
        return self.verbaliser.scores(logits.view(len(states), self.verbaliser.num_masks, -1))
