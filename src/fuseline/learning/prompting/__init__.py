"""Prompt learning: labels from words and a few rows, beside ordinary fine-tuning."""

from __future__ import annotations

from fuseline.prompting.base import PromptMethod
from fuseline.prompting.cloze import Cloze
from fuseline.prompting.contrastive import ClassPrompts
from fuseline.prompting.head import Head, HeadWithoutPretraining
from fuseline.prompting.probe import Probe
from fuseline.prompting.residual import Residual
from fuseline.prompting.soft_prompt import SoftPrompt

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
