"""A text encoder that knows no language: characters, and short runs of them.

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

# Of the codes that every character begins with: the same in every run, whatever its seed.
SEED = 0


class CharacterConfig(PretrainedConfig):
    """Shape of the encoder.

    Attributes:
        vocab_size: number of characters.
        hidden_size: width D of the codes.
        longest_run: characters of the longest run.
        num_hidden_layers: none, as there is nothing above the codes.
        max_position_embeddings: the longest text that objectives and prompts make; there is no
            embedding of positions.
    """

    model_type = "fuseline_characters"

    def __init__(
        self,
        vocab_size: int = 64,
        hidden_size: int = 1024,
        longest_run: int = 3,
        num_hidden_layers: int = 0,
        max_position_embeddings: int = 512,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.longest_run = longest_run
        self.num_hidden_layers = num_hidden_layers
        self.max_position_embeddings = max_position_embeddings
        super().__init__(**kwargs)


class CharacterEncoder(PreTrainedModel):
    """The state of a character is the sum of the codes of all runs that end in it, up to
    `longest_run` characters.

    The code of a run is the product of its characters' codes, each turned round by its distance
    from the run's end (Joshi, Halseth & Kanerva 2014, arXiv 1412.7026). Codes are drawn from
    +1 and -1, so that different runs have codes that are all but orthogonal: the mean over a text
    is its counts of character n-grams, hashed into D numbers (as feature hashing: Weinberger et
    al. 2009, arXiv 0902.2206, with every number of D in use). Unlike a table of buckets it follows
    from the word embeddings alone: attacks move them, and training may.

    Deviation from the paper: codes are scaled to length 1, and those of single characters count
    too.
    """

    config_class = CharacterConfig
    base_model_prefix = "characters"

    def __init__(self, config: CharacterConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            drawn = torch.Generator().manual_seed(SEED)
            signs = torch.randint(2, module.weight.shape, generator=drawn) * 2.0 - 1.0
            module.weight.copy_(signs * module.embedding_dim**-0.5)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.embeddings = cast(nn.Embedding, value)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> BaseModelOutput:
        """States (B, T, D) of `input_ids` (B, T), or of `inputs_embeds` (B, T, D) in their place.

        Padding comes last, and no run looks ahead: the mask changes nothing.
        """
        del attention_mask
        codes = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        length, width = codes.shape[1], self.config.hidden_size
        states = run = codes
        for back in range(1, self.config.longest_run):
            earlier = functional.pad(codes, (0, 0, back, 0))[:, :length]
            turned = torch.cat([earlier[..., -back:], earlier[..., :-back]], dim=-1)
            run = run * turned * width**0.5
            states = states + run
        return BaseModelOutput(last_hidden_state=states)


# By these a saved model is built again from its configuration.
AutoConfig.register(CharacterConfig.model_type, CharacterConfig)
AutoModel.register(CharacterConfig, CharacterEncoder)
