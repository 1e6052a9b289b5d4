"""Frames of videos through a frozen image encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from fuseline.data.media.video import sample_frames
from fuseline.data.modalities.checkpoints import encoder_key
from fuseline.data.modalities.extraction.stored_media import Medium
from fuseline.data.modalities.image.encoder import ahead, encode_pixels, frozen_network
from fuseline.data.modalities.image.pixels import picture_to_pixels
from fuseline.params.extract_features import VideoFeatureParams
from fuseline.pipeline.precision import Precision

# Videos decoded ahead of the encoder: enough to keep it busy, few enough to hold.
VIDEOS_AHEAD = 2


class FrameEncoder:
    """Stored videos to features (F, D): frames at even times, one vector each."""

    def __init__(self, params: VideoFeatureParams, precision: Precision) -> None:
        self.params, self.precision = params, precision
        where = encoder_key("video")
        self.network = frozen_network(params.encoder, 1, params.image_size, precision, where=where)
        self.shape = (params.num_frames, self.network.dim)
        self.facts: dict[str, Any] = {
            "encoder": params.encoder,
            "revision": self.network.revision,
            "config": self.network.config,
            "image_size": params.image_size,
            "num_frames": params.num_frames,
        }

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray]:
        """Features of each video in turn; see `Encoder`."""
        videos = ahead(self._pixels, media, VIDEOS_AHEAD)
        frames = (frame for video in videos for frame in video)
        states = encode_pixels(self.network, frames, self.params.batch_size, self.precision)
        while video := list(islice(states, self.params.num_frames)):
            yield np.concatenate(video)

    def _pixels(self, medium: Medium) -> list[np.ndarray]:
        frames = medium.decoded(lambda content: sample_frames(content, self.params.num_frames))
        return [picture_to_pixels(frame, self.params.image_size) for frame in frames]
