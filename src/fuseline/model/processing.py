"""Raw text and pictures to what the model takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from transformers import BatchFeature, PreTrainedTokenizerFast, ProcessorMixin

from fuseline.modalities.image import picture_to_pixels, stack_pixels
from fuseline.modalities.text_encoder import read_encoder_facts, special_spellings


class FuselineProcessor(ProcessorMixin):
    """Tokenizes texts and prepares pictures, as the pipeline's stages did for training.

    Args:
        tokenizer: the fast tokenizer.
        image_size: pixels a side of a prepared picture.
        max_length_tokens: longer texts are cut.
    """

    attributes: ClassVar[list[str]] = ["tokenizer"]
    tokenizer_class = "PreTrainedTokenizerFast"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        image_size: int = 224,
        max_length_tokens: int = 64,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.max_length_tokens = max_length_tokens
        super().__init__(tokenizer, **kwargs)

    def __call__(
        self,
        text: list[str] | str | None = None,
        images: list[Image.Image] | Image.Image | None = None,
    ) -> BatchFeature:
        """Prepare a batch.

        Args:
            text: texts of the rows; None where no row has any.
            images: pictures of the rows; None where no row has any.

        Returns:
            `input_ids`, `attention_mask` (B, T), `text_mask` (B,), and with pictures
            `pixel_values` (B, 3, S, S) in [0, 255].

        Raises:
            ValueError: neither is given, or their numbers differ.
        """
        texts = [text] if isinstance(text, str) else text
        pictures = [images] if isinstance(images, Image.Image) else images
        if texts is None and pictures is None:
            raise ValueError("FuselineProcessor: give text, images or both.")
        rows = len(texts if texts is not None else pictures or [])
        if texts is not None and pictures is not None and len(texts) != len(pictures):
            raise ValueError(
                f"FuselineProcessor: expected as many images as texts, found {len(pictures)} images"
                f" and {len(texts)} texts."
            )
        encoded = self.tokenizer(
            texts if texts is not None else [""] * rows,
            padding=True,
            truncation=True,
            max_length=self.max_length_tokens,
            return_tensors="pt",
        )
        batch = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        batch["text_mask"] = encoded["input_ids"].new_full((rows,), texts is not None).bool()
        if pictures is not None:
            batch["pixel_values"] = stack_pixels(
                [picture_to_pixels(picture, self.image_size) for picture in pictures]
            )
        return BatchFeature(batch)


def create_processor(tokenizer_folder: Path, image_size: int) -> FuselineProcessor:
    """The processor of a tokenizer folder."""
    facts = read_encoder_facts(tokenizer_folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_folder / "tokenizer.json"),
        **{f"{name}_token": token for name, token in special_spellings(tokenizer_folder).items()},
    )
    return FuselineProcessor(tokenizer, image_size, facts["max_length_tokens"])
