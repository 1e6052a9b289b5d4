"""The multimodal model as Transformers classes.

Shapes: B batch, T tokens, P positions of a feature modality, D its dim, W common width,
C classes, V vocabulary.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, PreTrainedModel

from fuseline.data.modalities.image.networks import (
    ImageEncoder,
    build_image_encoder,
    build_image_parts,
)
from fuseline.data.modalities.image.top import ImageTop
from fuseline.data.modalities.text.encoder import build_text_encoder
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.control_tokens import Asked
from fuseline.learning.model.decoder import DecoderHead
from fuseline.learning.model.feature_encoders import ENCODERS, FeatureEncoder, TopEncoder
from fuseline.learning.model.fusion import FUSIONS, Sequence
from fuseline.learning.model.heads import build_head
from fuseline.learning.model.output import FuselineOutput, TaskOutput
from fuseline.learning.model.probes import BlendedProbe
from fuseline.learning.model.recommender import RecommendationHead
from fuseline.registry import lookup

# Of its vectors the deviation counts too: positions of a sound are spans of time, and a mean alone
# hears no course.
DEVIATING = "audio"


class FuselinePreTrainedModel(PreTrainedModel):
    config_class = FuselineConfig
    base_model_prefix = "fuseline"
    _supports_sdpa = True
    # A model may be loaded without the probes that it was saved with.
    _keys_to_ignore_on_load_unexpected = (r"heads\.\d+\.probes\.",)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, BlendedProbe | RecommendationHead):
            module.reset()


class ModalityEmbedding(nn.Module):
    """Projects one modality to the common width and marks it; an absent row becomes one learned
    token at the first position.

    Args:
        dim: width of what comes in.
        width: common width W.
        positions: number of positions with an embedding of their own; 0 where the encoder has
            marked them already.
        encoder: trained over what comes in, giving `positions` states of `dim`; None to take it
            as it is.
    """

    def __init__(
        self, dim: int, width: int, positions: int, encoder: FeatureEncoder | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, width)
        self.modality = nn.Parameter(torch.zeros(width))
        self.absent = nn.Parameter(torch.zeros(width))
        self.masked = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(torch.zeros(positions, width)) if positions else None

    def encode(self, given: Sequence, masked: Tensor | None = None) -> Sequence:
        """What the encoder makes of what comes in (B, L, D), hiding the states that `masked`
        (B, Q) says; without an encoder, that itself."""
        if self.encoder is None:
            return given
        return Sequence.whole(self.encoder(given.states, masked))

    def forward(self, encoded: Sequence, present: Tensor, masked: Tensor | None = None) -> Sequence:
        """`encoded` as `encode` gives it, `present` (B,), `masked` (B, L) states to hide."""
        mask = encoded.mask
        states = self.project(self.norm(encoded.states))
        if masked is not None:
            states = torch.where(masked.unsqueeze(-1), self.masked.to(states.dtype), states)
        if self.position is not None:
            # Rows that all lack the modality may come with fewer positions.
            states = states + self.position[: states.shape[1]]
        states = states + self.modality
        first = torch.zeros_like(mask)
        first[:, 0] = True
        here = present.unsqueeze(-1)
        states = torch.where(here.unsqueeze(-1), states, self.absent.to(states.dtype))
        # As algebra: ONNX Runtime chooses between no truth values.
        return Sequence(states, (here & mask) | (~here & first))

    def nothing(self, like: Tensor) -> Sequence:
        """What rows without the modality are, at its shortest: the learned token alone, as many
        rows as `like` has and of its type."""
        return Sequence.whole(self.absent.to(like.dtype).expand(like.shape[0], 1, -1))


class FuselineModel(FuselinePreTrainedModel):
    """Text encoder and features, projected to a common width and fused."""

    def __init__(self, config: FuselineConfig) -> None:
        super().__init__(config)
        self.text_encoder = _text_encoder(config)
        below, top = _image_parts(config.image_encoder)
        self.embeddings = nn.ModuleDict(
            {name: self._embedding(config, name, top) for name in config.modalities}
        )
        kind = lookup(FUSIONS, config.fusion["kind"], where="pretrain.model.fusion.kind")
        self.fusion = kind(config, list(self.embeddings))
        # Last where it is whole, as its weights are drawn before they are loaded: what is drawn
        # before it does not hang on pictures.
        self.image_encoder = below or _frozen_encoder(config.image_encoder)
        self.post_init()

    def _embedding(
        self, config: FuselineConfig, name: str, top: ImageTop | None
    ) -> ModalityEmbedding:
        width = config.hidden_size
        if name == "text":
            assert self.text_encoder is not None  # `modalities` names text only with its config
            return ModalityEmbedding(self.text_encoder.config.hidden_size, width, 0)
        shape = config.features[name]
        if name == "image" and top is not None:
            return ModalityEmbedding(top.dim, width, top.grid**2, TopEncoder(top, shape["dim"]))
        if not shape.get("encoder"):
            return ModalityEmbedding(shape["dim"], width, shape["positions"])
        kind = lookup(ENCODERS, shape["encoder"], where=f"config.features.{name}.encoder")
        return ModalityEmbedding(width, width, shape["positions"], kind(shape["dim"], width))

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings.

        Raises:
            ValueError: the model takes no text.
        """
        if self.text_encoder is None:
            raise ValueError("This model takes no text, and so has no word embeddings.")
        embeddings: nn.Embedding = self.text_encoder.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        if self.text_encoder is not None:
            self.text_encoder.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        text_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        masked_positions: dict[str, Tensor] | None = None,
        each_alone: bool = False,
        **features: Tensor,
    ) -> FuselineOutput:
        """Encode, embed and fuse.

        Args:
            input_ids: (B, T); or `inputs_embeds` (B, T, D), word embeddings that win over them.
                A model without text needs neither.
            attention_mask: (B, T), all ones if None.
            token_type_ids: (B, T) segments of a pair.
            text_mask: (B,) bool, False where the row has no text; all True if None.
            pixel_values: (B, 3, S, S) in [0, 255], in place of `image_features`; of several
                pictures a row (B, K, 3, S, S), NaN where one is absent.
            masked_positions: (B, Q) bool by modality, features hidden from the model; Q as
                `cells` has them.
            each_alone: fuse the rows once more for each modality, as if they had no other.
            features: `<modality>_features` (B, P, D) and `<modality>_mask` (B,) bool; a modality
                without features is absent in every row, and of several pictures a row those whose
                positions are NaN.

        Raises:
            ValueError: neither `input_ids` nor `inputs_embeds` for a model that takes text, or
                no input of any modality.
        """
        if pixel_values is not None:
            features["image_features"] = self.encode_image(pixel_values)
        given, present = {}, {}
        if self.text_encoder is not None:
            given["text"], present["text"] = self._read_text(
                input_ids, attention_mask, inputs_embeds, token_type_ids, text_mask
            )
        rows = _num_rows([text_mask, *(one.states for one in given.values()), *features.values()])
        for name in self.config.features:
            given[name], present[name] = self._read_features(name, features, rows)
        hidden = masked_positions or {}
        encoded = {
            name: self._embedding_of(name).encode(one, hidden.get(name))
            for name, one in given.items()
        }
        sequences: dict[str, Sequence] = {
            name: self.embeddings[name](one, present[name], hidden.get(name))
            for name, one in encoded.items()
        }
        fused = self.fusion(sequences)
        unimodal = {name: sequence.mean() for name, sequence in sequences.items()}
        masks = {name: sequence.mask for name, sequence in sequences.items()}
        alone = self._fuse_each_alone(sequences) if each_alone else {}
        # Heads of pre-training lie outside the autocast that the trainer wraps this call in, and
        # some kinds of fusion end in a product, which autocast leaves in bfloat16.
        vectors = self._vectors(given, encoded) if self.config.gives_vectors else {}
        return FuselineOutput(
            fused.pooled.float(), fused.states, masks, unimodal, present, alone, vectors
        )

    def _vectors(
        self, given: dict[str, Sequence], encoded: dict[str, Sequence]
    ) -> dict[str, Tensor]:
        """What linear probes are of, (B, D) float32 by modality."""
        vectors = {}
        for name, one in given.items():
            seen = encoded[name] if self._is_pretrained(name) else one
            mean = seen.mean()
            deviation = [seen.deviation()] if name == DEVIATING else []
            vectors[name] = torch.cat([mean, *deviation], dim=1).float()
        return vectors

    @property
    def vector_dims(self) -> dict[str, int]:
        """Width D of `FuselineOutput.vectors` by modality."""
        dims = {}
        for name in self.embeddings:
            encoded: int = self._embedding_of(name).norm.normalized_shape[0]
            dim = encoded if self._is_pretrained(name) else self.config.features[name]["dim"]
            dims[name] = 2 * dim if name == DEVIATING else dim
        return dims

    def _is_pretrained(self, name: str) -> bool:
        """Whether what its embedding projects comes from a pre-trained network."""
        encoder = self._embedding_of(name).encoder
        return encoder is None or isinstance(encoder, TopEncoder)

    def _embedding_of(self, name: str) -> ModalityEmbedding:
        return cast(ModalityEmbedding, self.embeddings[name])

    def _fuse_each_alone(self, sequences: dict[str, Sequence]) -> dict[str, Tensor]:
        """Fused vectors (B, W) of each modality without the others."""
        nothing = {
            name: self._embedding_of(name).nothing(one.states) for name, one in sequences.items()
        }
        return {
            name: self.fusion(nothing | {name: one}).pooled.float()
            for name, one in sequences.items()
        }

    def cells(self, name: str, values: Tensor) -> Tensor:
        """(B, Q, D) features of a modality by the states that the model makes of them: `values`
        (B, P, D) themselves, or averaged where the model's own encoder has fewer."""
        encoder = self._embedding_of(name).encoder
        return values if encoder is None else encoder.cells(values)

    def encode_image(self, pixel_values: Tensor) -> Tensor:
        """Features (B, P, D) of pictures as the frozen encoder gives them, rounded to float16 like
        the stored ones."""
        if self.image_encoder is None:
            raise ValueError("pixel_values given, but this model was trained without pictures.")
        places = self._places("image")
        given = pixel_values.shape[1] if pixel_values.dim() == 5 else 1
        if given > places:
            raise ValueError(
                f"pixel_values: expected at most {places} pictures a row, as this model was trained"
                f" with; found {given}."
            )
        if places > 1:
            return self._encode_places(pixel_values, places)
        features: Tensor = self.image_encoder(pixel_values)
        return features.half().float()

    def _encode_places(self, pixel_values: Tensor, places: int) -> Tensor:
        """The same of several pictures a row, NaN at the positions of absent ones."""
        assert self.image_encoder is not None  # the caller has looked
        pictures = pixel_values if pixel_values.dim() == 5 else pixel_values.unsqueeze(1)
        absent = pictures.isnan().flatten(2).any(2)
        encoded = self.image_encoder(pictures.nan_to_num(0.0).flatten(0, 1)).half().float()
        encoded = encoded.reshape(*absent.shape, *encoded.shape[1:])
        encoded = encoded.masked_fill(absent[..., None, None], torch.nan).flatten(1, 2)
        missing = (places - pictures.shape[1]) * (encoded.shape[1] // pictures.shape[1])
        return functional.pad(encoded, (0, 0, 0, missing), value=torch.nan)

    def _places(self, name: str) -> int:
        """How many media of the kind a row may have."""
        places: int = self.config.features[name].get("places", 1)
        return places

    def _read_text(
        self,
        input_ids: Tensor | None,
        attention_mask: Tensor | None,
        inputs_embeds: Tensor | None,
        token_type_ids: Tensor | None,
        text_mask: Tensor | None,
    ) -> tuple[Sequence, Tensor]:
        tokens = input_ids if inputs_embeds is None else inputs_embeds
        if tokens is None:
            raise ValueError("input_ids or inputs_embeds is required; absent text is [CLS] [SEP].")
        if attention_mask is None:
            attention_mask = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
        assert self.text_encoder is not None  # the caller has looked
        output = self.text_encoder(
            input_ids=input_ids if inputs_embeds is None else None,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            **({} if token_type_ids is None else {"token_type_ids": token_type_ids}),
        )
        states: Tensor = output.last_hidden_state
        present = _ones(states[:, 0, 0]) if text_mask is None else text_mask
        return Sequence(states, attention_mask.bool()), present

    def _read_features(
        self, name: str, features: dict[str, Tensor], rows: int
    ) -> tuple[Sequence, Tensor]:
        values = features.get(f"{name}_features")
        if values is None:
            shape = self.config.features[name]
            values = torch.zeros(rows, shape["positions"], shape["dim"], device=self.device)
            present = ~_ones(values[:, 0, 0])
        else:
            present = features.get(f"{name}_mask", _ones(values[:, 0, 0]))
        here = _ones(values[..., 0])
        if self._places(name) > 1:
            here = ~values[..., 0].isnan()
            values = values.masked_fill(~here.unsqueeze(-1), 0.0)
        return Sequence(values, here), present


def _num_rows(tensors: list[Tensor | None]) -> int:
    """Rows of the batch, as any of its tensors tells."""
    for tensor in tensors:
        if tensor is not None:
            # Not `len`, which an exported model would hold as a constant.
            return tensor.shape[0]
    raise ValueError("An input of at least one modality is required, found none.")


def _text_encoder(config: FuselineConfig) -> PreTrainedModel | None:
    if not config.text_config:
        return None
    return build_text_encoder(AutoConfig.for_model(**config.text_config))


def _image_parts(image: dict[str, Any] | None) -> tuple[ImageEncoder | None, ImageTop | None]:
    """The frozen part of the image encoder and the layers above it, of a model that holds some."""
    if image is None or not image["top_layers"]:
        return None, None
    return build_image_parts(
        image["name"], image["grid"], image["top_layers"], weights=False, config=image["config"]
    )


def _frozen_encoder(image: dict[str, Any] | None) -> ImageEncoder | None:
    if image is None:
        return None
    return build_image_encoder(image["name"], image["grid"], weights=False, config=image["config"])


def _ones(like: Tensor) -> Tensor:
    return torch.ones_like(like, dtype=torch.bool)


class FuselineForPreTraining(FuselinePreTrainedModel):
    """The backbone with a head for each self-supervised objective."""

    def __init__(self, config: FuselineConfig) -> None:
        super().__init__(config)
        self.fuseline = FuselineModel(config)
        width = config.hidden_size
        if "text" in config.modalities:
            self._add_language_head(width)
        self.nsp_head = nn.Linear(width, 2)
        self.itm_head = nn.Linear(width, 2)
        self.contrastive_heads = nn.ModuleDict(
            {
                name: nn.Linear(width, config.contrastive_size, bias=False)
                for name in self.fuseline.embeddings
            }
        )
        # The CLIP paper's start and ceiling: exp(logit_scale) from 1 / 0.07, at most 100.
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))
        self.feature_heads = nn.ModuleDict(
            {name: nn.Linear(width, shape["dim"]) for name, shape in config.features.items()}
        )
        # Two layers: what contrast throws away then stays in the fused vector (SimCLR: Chen et al.
        # 2020, arXiv 2002.05709, section 4.2).
        self.joint_head = nn.Sequential(
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, config.contrastive_size, bias=False),
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.fuseline.get_input_embeddings()

    def _add_language_head(self, width: int) -> None:
        embeddings = self.fuseline.get_input_embeddings()
        self.mlm_transform = nn.Sequential(
            nn.Linear(width, embeddings.embedding_dim),
            nn.GELU(),
            nn.LayerNorm(embeddings.embedding_dim),
        )
        self.mlm_bias = nn.Parameter(torch.zeros(embeddings.num_embeddings))

    def forward(self, each_alone: bool = False, **inputs: Any) -> FuselineOutput:
        """The backbone's output, its arguments as there; objectives apply the heads they need."""
        output: FuselineOutput = self.fuseline(each_alone=each_alone, **model_inputs(inputs))
        return output

    def mlm_logits(self, states: Tensor) -> Tensor:
        """Vocabulary logits (N, V) of selected token states (N, W); the decoder is the word
        embedding matrix."""
        weight = self.fuseline.get_input_embeddings().weight
        return functional.linear(self.mlm_transform(states), weight, self.mlm_bias)

    def contrastive_vectors(self, output: FuselineOutput, modality: str) -> Tensor:
        """Unit vectors (B, S) of one modality alone."""
        projected = self.contrastive_heads[modality](output.unimodal[modality])
        return functional.normalize(projected.float(), dim=-1)

    def joint_vectors(self, pooled: Tensor) -> Tensor:
        """Unit vectors (B, S) of fused vectors (B, W), whatever was fused."""
        return functional.normalize(self.joint_head(pooled).float(), dim=-1)


class FuselineForTasks(FuselinePreTrainedModel):
    """The backbone with a head for each of `config.tasks`."""

    def __init__(self, config: FuselineConfig) -> None:
        super().__init__(config)
        self.fuseline = FuselineModel(config)
        # By position: a module may not bear every name that a column may.
        dims = self.fuseline.vector_dims if config.gives_vectors else {}
        self.heads = nn.ModuleList(build_head(config, task, dims) for task in config.tasks)
        self.post_init()
        # Transformers looks for shared weights in direct children alone, and a decoder lies deeper.
        self.all_tied_weights_keys = self.get_expanded_tied_weights_keys(all_submodels=True)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.fuseline.get_input_embeddings()

    def forward(self, **batch: Any) -> TaskOutput:
        """Logits of every task; a head that reads its labels finds them in the batch."""
        output = self.fuseline(**model_inputs(batch))
        given = [head(output, batch) for head in self.heads]
        return TaskOutput([one.logits for one in given], [one.by_modality for one in given])

    def save_pretrained(self, save_directory: Any, **options: Any) -> None:
        """Save it by the names of its own class. A head that began as a part of pre-training would
        else be saved under the name it had there, and not be found again."""
        super().save_pretrained(save_directory, **{"save_original_format": False} | options)

    @torch.no_grad()
    def generate(
        self,
        batch: dict[str, Any],
        task: int = 0,
        controls: Asked | None = None,
        **options: Any,
    ) -> Tensor:
        """Texts (B, L) of one task as token ids, padding after the end.

        Args:
            batch: as for a forward pass; labels play no part.
            task: its place in `config.tasks`.
            controls: what the texts are to be like: by control a value for all rows, or one for
                each, None for any; known ones stand among the task's facts.
            options: of Transformers' `generate`: `num_beams`, `do_sample`, `max_new_tokens`,
                `prefix_allowed_tokens_fn` and the like.

        Raises:
            ValueError: a task that writes no texts, or a control or value that it does not know.
        """
        head = self.heads[task]
        if not isinstance(head, DecoderHead):
            raise ValueError(
                f"Task {task} of this model, {self.config.tasks[task]['kind']}, writes no texts."
            )
        return head.generate(self.fuseline(**model_inputs(batch)), controls, **options)

    def start_decoders(self) -> None:
        """Let new decoders begin with the text encoder's word embeddings, if there is one."""
        for head in self.heads:
            if isinstance(head, DecoderHead) and self.fuseline.text_encoder is not None:
                head.start_from(self.get_input_embeddings())


def model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    """The entries of a batch that the backbone takes; a batch also carries labels and groups."""
    taken = ("_ids", "_mask", "_features", "_embeds", "_values", "_positions")
    return {name: value for name, value in batch.items() if name.endswith(taken)}
