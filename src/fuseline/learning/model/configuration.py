"""Configuration of the multimodal model."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig


class FuselineConfig(PretrainedConfig):
    """Shape of the model.

    Attributes:
        text_config: configuration of the text encoder, with its `model_type`; empty for a model
            without text.
        features: by modality, `{"positions": P, "dim": D}`, and `"encoder"` where the model
            trains a small one of its own over them (a name of `feature_encoders.py`).
        image_encoder: `{"name", "grid", "top_layers", "image_size", "config"}` of the image
            encoder; its top layers are trained, what lies below them is frozen.
        hidden_size: common width W.
        fusion: `{"kind", "num_layers", "num_heads", "num_bottleneck_tokens", "dropout"}`.
        contrastive_size: width of the contrastive space.
        classifier_dropout: in front of the classification layer.
        tasks: what the model was fine-tuned for, the first task first: `{"name", "kind", "weight",
            "head", "facts"}`, the last two what its head needs and what it learnt of its target;
            empty before.
        freezing: which parameters fine-tuning trained, as the section's params say it.
        training_attack: what the model was trained against, as the section's params say it; empty
            for one that was not.
        probed: whether heads over the pooled vector blend linear probes in.
        special_tokens: ids of `pad`, `cls`, `sep` and `mask`.
    """

    model_type = "fuseline"

    def __init__(
        self,
        text_config: dict[str, Any] | None = None,
        features: dict[str, dict[str, Any]] | None = None,
        image_encoder: dict[str, Any] | None = None,
        hidden_size: int = 384,
        fusion: dict[str, Any] | None = None,
        contrastive_size: int = 128,
        classifier_dropout: float = 0.0,
        special_tokens: dict[str, int] | None = None,
        tasks: list[dict[str, Any]] | None = None,
        freezing: dict[str, Any] | None = None,
        training_attack: dict[str, Any] | None = None,
        probed: bool = False,
        **kwargs: Any,
    ) -> None:
        self.text_config = text_config or {}
        self.features = features or {}
        self.image_encoder = image_encoder
        self.hidden_size = hidden_size
        self.fusion = fusion or {}
        self.contrastive_size = contrastive_size
        self.classifier_dropout = classifier_dropout
        self.tasks = tasks or []
        self.freezing = freezing or {}
        self.training_attack = training_attack or {}
        self.probed = probed
        self.special_tokens = special_tokens or {}
        super().__init__(**kwargs)

    @property
    def modalities(self) -> list[str]:
        """Those that the model takes, text first."""
        return [*(["text"] if self.text_config else []), *sorted(self.features)]

    @property
    def gives_vectors(self) -> bool:
        """Whether a head reads what encoders give before anything is fused: probes, and what items
        to recommend are like."""
        return self.probed or any(task["kind"] == "recommendation" for task in self.tasks)

    @property
    def special_token_ids(self) -> list[int]:
        """Tokens that attacks and masking leave alone."""
        return sorted(set(self.special_tokens.values()))


# A processor looks for its tokenizer by the configuration beside it: of a type that Transformers
# does not know it would warn at every load.
AutoConfig.register(FuselineConfig.model_type, FuselineConfig)
