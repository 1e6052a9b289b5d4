"""All params of a run, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fuseline.config import parse_section
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.export import ExportParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.finetune import FinetuneParams
from fuseline.params.ingest import IngestParams
from fuseline.params.leakage import LeakageParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.prompt import PromptParams
from fuseline.params.report import ReportParams
from fuseline.params.stress import StressParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.params.whole import SECTIONS


@dataclass(frozen=True)
class Asked:
    """All sections of `params.yaml`."""

    base: BaseParams
    ingest: IngestParams
    tokenize: TokenizeParams
    extract_features: ExtractFeaturesParams
    leakage: LeakageParams
    pretrain: PretrainParams
    prompt: PromptParams
    finetune: FinetuneParams
    adversarial_finetune: AdversarialFinetuneParams
    evaluate: EvaluateParams
    stress: StressParams
    export: ExportParams
    report: ReportParams

    @classmethod
    def of(cls, content: dict[str, Any]) -> Asked:
        """Of a params file that was read.

        Raises:
            ConfigError: a wrong key or value.
        """
        sections = {name: parse_section(content, name, kind) for name, kind in SECTIONS.items()}
        return cls(**cast(Mapping[str, Any], sections))
