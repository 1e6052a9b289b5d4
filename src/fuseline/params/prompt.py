"""Section `prompt`: templates, label words, shots, and how each method learns from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Positive, Share

METHOD_NAMES = (
    "cloze",
    "contrastive",
    "residual",
    "soft_prompt",
    "head",
    "head_without_pretraining",
    "probe",
)
Rate = Positive
Shots = Annotated[int, Field(ge=0)]


class ClozeParams(Section):
    """`template` has `{text}` and `{label}` once each; masks stand in for the label.
    `train_encoder` says whether shots move the text encoder too, or only what lies above it."""

    template: str
    train_encoder: bool

    @field_validator("template")
    @classmethod
    def _has_both_places(cls, template: str) -> str:
        return _with_places(template, "{text}", "{label}")


class ClassPromptParams(Section):
    """`over` says which similarities score a row: that of its text, the mean of its other media's,
    or the text's plus `media_weight` times the media's."""

    templates: Annotated[list[str], Field(min_length=1)]
    over: Literal["text", "media", "both"]
    media_weight: NonNegative
    logit_scale: Positive

    @field_validator("templates")
    @classmethod
    def _have_a_place(cls, templates: list[str]) -> list[str]:
        return [_with_places(template, "{label}") for template in templates]


class ContrastiveParams(Section):
    """`prompt_weight` is the number of shots that a class's prompts count for."""

    prompt_weight: NonNegative


class ResidualParams(Section):
    """`pull` weighs the squared length of the residuals, the mean over classes."""

    num_steps: Count
    learning_rate: Rate
    pull: NonNegative


class SoftPromptParams(Section):
    """`num_tokens` context vectors start as the first pieces of `initial_context`; those beyond
    its length start as small noise. `class_specific` gives every class its own."""

    num_tokens: Count
    initial_context: str
    class_specific: bool
    num_steps: Count
    learning_rate: Rate


class FewShotTrainingParams(Section):
    """Of what is trained as a whole: `num_steps` steps, or the full batches of one pass over
    the rows where these are more; the last weights are kept."""

    num_steps: Count
    batch_size: Count
    learning_rate: Rate
    encoder_learning_rate: Rate
    warmup_share: Share
    weight_decay: NonNegative
    max_grad_norm: Positive
    unimodal_weight: NonNegative


class PromptParams(Section):
    """`shots` are training rows per label, 0 for none; each number above is drawn `num_seeds`
    times. `label_words` names a label's words where its own name would not do."""

    methods: Annotated[list[str], Field(min_length=1)]
    shots: Annotated[list[Shots], Field(min_length=1)]
    num_seeds: Count
    max_test_rows: Count
    compare_without_pretraining: bool
    label_words: dict[str, Annotated[list[str], Field(min_length=1)]]
    cloze: ClozeParams
    class_prompts: ClassPromptParams
    contrastive: ContrastiveParams
    residual: ResidualParams
    soft_prompt: SoftPromptParams
    training: FewShotTrainingParams

    @field_validator("methods")
    @classmethod
    def _known_names(cls, methods: list[str]) -> list[str]:
        unknown = sorted(set(methods) - set(METHOD_NAMES))
        if unknown:
            raise ValueError(
                f"unknown method {', '.join(unknown)}; valid: {', '.join(METHOD_NAMES)}"
            )
        if len(set(methods)) < len(methods):
            raise ValueError("each method may stand once")
        return methods

    @field_validator("shots")
    @classmethod
    def _rising(cls, shots: list[int]) -> list[int]:
        if shots != sorted(set(shots)):
            raise ValueError("numbers of shots must rise")
        return shots

    @field_validator("label_words")
    @classmethod
    def _no_empty_word(cls, words: dict[str, list[str]]) -> dict[str, list[str]]:
        for label, of_label in words.items():
            if not all(word.strip() for word in of_label):
                raise ValueError(f"label '{label}' has an empty word")
        return words


def _with_places(template: str, *places: str) -> str:
    for place in places:
        if template.count(place) != 1:
            raise ValueError(f"'{template}' must have {place} exactly once")
    return template
