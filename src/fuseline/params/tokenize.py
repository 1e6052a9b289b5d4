"""Section `tokenize`: the text encoder's tokenizer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.base import Count


class ScratchTextParams(Section):
    """Vocabulary and size of a text encoder trained from scratch."""

    vocab_size: Annotated[int, Field(ge=64)]
    hidden_size: Count
    num_layers: Count
    num_heads: Count

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ScratchTextParams:
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"num_heads must divide hidden_size, got {self.num_heads} and {self.hidden_size}"
            )
        return self


class CharacterParams(Section):
    """Vocabulary and size of the encoder of characters."""

    vocab_size: Annotated[int, Field(ge=64)]
    hidden_size: Count
    longest_run: Annotated[int, Field(ge=1, le=5)]


class TokenizeParams(Section):
    encoder: str
    max_length_tokens: Annotated[int, Field(ge=4, le=512)]
    characters: CharacterParams
    scratch: ScratchTextParams
