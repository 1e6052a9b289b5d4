"""Prompt learning: labels from words and a few rows, beside ordinary fine-tuning."""

from __future__ import annotations

from fuseline.learning.prompting.base import PromptMethod
from fuseline.learning.prompting.class_prompts import ClassPrompts
from fuseline.learning.prompting.cloze import Cloze
from fuseline.learning.prompting.head import Head, HeadWithoutPretraining
from fuseline.learning.prompting.probe import Probe
from fuseline.learning.prompting.residual import Residual
from fuseline.learning.prompting.soft_prompt import SoftPrompt

METHODS: dict[str, type[PromptMethod]] = {
    "cloze": Cloze,
    "contrastive": ClassPrompts,
    "residual": Residual,
    "soft_prompt": SoftPrompt,
    "head": Head,
    "head_without_pretraining": HeadWithoutPretraining,
    "probe": Probe,
}

__all__ = ["METHODS", "PromptMethod"]
