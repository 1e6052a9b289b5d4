"""Pictures to features: decoded, resized, run once through the frozen encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuseline.contracts import image_places
from fuseline.data.modalities.checkpoints import encoder_key, image_encoder_identity
from fuseline.data.modalities.extraction.extract import Encoder, Extractor, Runtime, extract
from fuseline.data.modalities.extraction.stored_media import picture_columns
from fuseline.params.extract_features import ImageFeatureParams

if TYPE_CHECKING:
    from fuseline.pipeline.precision import Precision


def extract_image_features(
    examples: Path,
    features: Path,
    params: ImageFeatureParams,
    precision: Precision,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Write the image features table.

    Args:
        examples: the examples table.
        features: folder of the new table.
        params: encoder, size, grid and batch size.
        precision: of the encoder.
        runtime: cache and surroundings; none by default.

    Returns:
        Counts of rows and missing pictures, shape, mean norm.

    Raises:
        ConfigError: no such encoder.
        ContractError: a picture that cannot be decoded.
    """

    def load() -> Encoder:
        from fuseline.data.modalities.image.encoder import PictureEncoder

        return PictureEncoder(params, precision)

    encoder = image_encoder_identity(params.encoder, where=encoder_key("image"))
    identity = {"image": params.model_dump(), "precision": precision, **encoder}
    places = image_places(examples)
    columns = tuple(picture_columns(places))
    extractor = Extractor("image", __name__, columns, identity, load, places)
    return extract(examples, features, extractor, runtime or Runtime())
