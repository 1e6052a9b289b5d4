"""Section `tokenize`: the text encoder's tokenizer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count


class ScratchTextParams(Section):
    """Vocabulary and size of a text encoder trained from scratch."""

    vocab_size: Annotated[int, Field(ge=64)]
    hidden_size: Count
    num_layers: Count
    num_heads: Count


class TokenizeParams(Section):
    encoder: str
    max_length_tokens: Annotated[int, Field(ge=4, le=512)]
    scratch: ScratchTextParams
