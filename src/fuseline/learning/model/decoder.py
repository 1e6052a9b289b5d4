"""The head that writes texts.

Shapes: B batch, L tokens of a text, K controls, S positions of all modalities, W common width,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertLMHeadModel, DynamicCache, EncoderDecoderCache

from fuseline.data.dataset import NO_LABEL, Batch
from fuseline.errors import ConfigError
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.control_tokens import Asked, ControlledEmbedding, ControlTokens
from fuseline.learning.model.output import FuselineOutput, HeadOutput

# Of a row's number and its tokens so far, those that may follow.
Allowed = Callable[[int, Tensor], list[int]]


class DecoderHead(nn.Module):
    """A causal decoder with cross-attention (Vaswani et al. 2017, arXiv 1706.03762) over the fused
    states of all modalities: (B, L, V). It is Transformers' BERT decoder, which shares the matrix
    of its word embeddings with its output layer.

    Texts begin after `cls` and end with `sep`, the tokens that the text encoder knows as such. In
    front of `cls` stands one token for each control, which no loss asks for; in training each is
    left open with the chance `dropout`, so that the model writes without it as well.

    Args:
        config: of the whole model.
        facts: `key` of the labels in a batch, `vocab_size`, `num_layers`, `num_heads`,
            `max_length_tokens` of a text, its end counted; and of a model with controls
            `controls`: `key` of their numbers (B, K) in a batch, `values` by control, `dropout`.

    Raises:
        ConfigError: heads that do not share the width evenly.
    """

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
        self.key: str = facts["key"]
        self.max_length: int = facts["max_length_tokens"]
        self.norm = nn.LayerNorm(config.hidden_size)
        self.decoder = BertLMHeadModel(_decoder_config(config, facts))
        controls = facts.get("controls", {"key": "", "values": {}, "dropout": 0.0})
        self.controls = ControlTokens(controls["values"])
        self.controls_key: str = controls["key"]
        self.control_dropout: float = controls["dropout"]
        if len(self.controls):
            words = self.decoder.get_input_embeddings()
            self.decoder.set_input_embeddings(ControlledEmbedding(words, self.controls.count))

    def start_from(self, words: nn.Embedding) -> None:
        """Begin with the text encoder's word embeddings, where they are of the same width."""
        own = self.decoder.get_input_embeddings().weight
        shared = min(len(own), words.num_embeddings)
        if words.embedding_dim == own.shape[1]:
            with torch.no_grad():
                own[:shared] = words.weight[:shared]

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        """Logits of each token after those before it in the labels (B, L'), cut to the batch's
        longest text; without labels those of the first token alone, (B, 1, V)."""
        states, mask = self.memory(output)
        prefix = self._prefix(batch.get(self.controls_key), len(states))
        logits: Tensor = self.decoder(
            input_ids=torch.cat([prefix, self._before(batch.get(self.key), len(states))], 1),
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
            use_cache=False,
        ).logits
        return HeadOutput(logits[:, len(self.controls) :].float())

    def memory(self, output: FuselineOutput) -> tuple[Tensor, Tensor]:
        """What texts are written from: fused states (B, S, W) of all modalities side by side, and
        their mask (B, S) int64."""
        names = list(output.states)
        states = torch.cat([output.states[name] for name in names], dim=1)
        mask = torch.cat([output.masks[name] for name in names], dim=1)
        return self.norm(states), mask.long()

    def generate(
        self, output: FuselineOutput, controls: Asked | None = None, **options: Any
    ) -> Tensor:
        """Token ids (B, L), the start left out, padding after the end.

        Args:
            output: the backbone's.
            controls: values to obey, by control.
            options: of Transformers' `generate`: `num_beams`, `do_sample`,
                `prefix_allowed_tokens_fn` and the like.

        Raises:
            ValueError: a control or a value that is not known.
        """
        states, mask = self.memory(output)
        numbers = self.controls.numbers(controls or {}, len(states)).to(states.device)
        start = torch.cat([self._prefix(numbers, len(states)), self._before(None, len(states))], 1)
        allowed = options.pop("prefix_allowed_tokens_fn", None)
        if allowed is not None:
            options["prefix_allowed_tokens_fn"] = self._unprefixed(allowed)
        config = self.decoder.config
        # Left to itself, `generate` makes a cache without room for the cross-attention.
        cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))
        found: Tensor = self.decoder.generate(
            start,
            attention_mask=torch.ones_like(start),
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
            past_key_values=cache,
            **{"max_new_tokens": self.max_length} | options,
        )
        tokens = found[:, start.shape[1] :]
        # Beams are filled up with the end token where the padding token's id is 0.
        end = (tokens == config.eos_token_id).long()
        return tokens.masked_fill(end.cumsum(1) > end, config.pad_token_id)

    def _prefix(self, numbers: Tensor | None, rows: int) -> Tensor:
        """(B, K) control tokens; without numbers each may have any value."""
        if numbers is None:
            numbers = torch.zeros(rows, len(self.controls), device=self.decoder.device).long()
        if self.training and len(self.controls):
            numbers = numbers.masked_fill(
                torch.rand(numbers.shape, device=numbers.device) < self.control_dropout, 0
            )
        tokens: Tensor = self.decoder.config.vocab_size + self.controls.tokens(numbers)
        return tokens

    def _unprefixed(self, allowed: Allowed) -> Allowed:
        """The same for tokens that begin with control tokens."""
        return lambda row, tokens: allowed(row, tokens[len(self.controls) :])

    def _before(self, labels: Tensor | None, rows: int) -> Tensor:
        """(B, L') the start, and all labels but the last; padding follows a shorter text, whose
        tokens never see it."""
        config = self.decoder.config
        start = torch.full((rows, 1), config.bos_token_id, device=self.decoder.device)
        if labels is None:
            return start
        longest = max(1, int((labels != NO_LABEL).sum(1).max()))
        before = labels[:, : longest - 1]
        return torch.cat([start, before.masked_fill(before == NO_LABEL, config.pad_token_id)], 1)


def _decoder_config(config: FuselineConfig, facts: dict[str, Any]) -> BertConfig:
    if config.hidden_size % facts["num_heads"]:
        raise ConfigError(
            "finetune.generation.num_heads: expected a divisor of the model's width,"
            f" {config.hidden_size}; found {facts['num_heads']}."
        )
    num_controls = len(facts["controls"]["values"]) if "controls" in facts else 0
    return BertConfig(
        is_decoder=True,
        add_cross_attention=True,
        tie_word_embeddings=True,
        vocab_size=facts["vocab_size"],
        hidden_size=config.hidden_size,
        num_hidden_layers=facts["num_layers"],
        num_attention_heads=facts["num_heads"],
        intermediate_size=4 * config.hidden_size,
        # Control tokens, the start, and all of a text but its end.
        max_position_embeddings=facts["max_length_tokens"] + num_controls,
        type_vocab_size=1,
        hidden_dropout_prob=config.classifier_dropout,
        attention_probs_dropout_prob=config.classifier_dropout,
        pad_token_id=config.special_tokens["pad"],
        bos_token_id=config.special_tokens["cls"],
        eos_token_id=config.special_tokens["sep"],
    )
