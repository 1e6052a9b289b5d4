"""Videos to features: frames at even times through the frozen image encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuseline.data.modalities.checkpoints import encoder_key, image_encoder_identity
from fuseline.data.modalities.extraction.extract import Encoder, Extractor, Runtime, extract
from fuseline.params.extract_features import VideoFeatureParams

if TYPE_CHECKING:
    from fuseline.pipeline.precision import Precision


def extract_video_features(
    examples: Path,
    features: Path,
    params: VideoFeatureParams,
    precision: Precision,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Write the video features table: one position per frame.

    Args:
        examples: the examples table.
        features: folder of the new table.
        params: encoder, size, number of frames and batch size.
        precision: of the encoder.
        runtime: cache and surroundings; none by default.

    Returns:
        Counts of rows and missing videos, shape, mean norm.

    Raises:
        ConfigError: no such encoder.
        ContractError: a video that cannot be decoded.
    """

    def load() -> Encoder:
        from fuseline.data.modalities.video.encoder import FrameEncoder

        return FrameEncoder(params, precision)

    encoder = image_encoder_identity(params.encoder, where=encoder_key("video"))
    identity = {"video": params.model_dump(), "precision": precision, **encoder}
    extractor = Extractor("video", __name__, ("video",), identity, load)
    return extract(examples, features, extractor, runtime or Runtime())
