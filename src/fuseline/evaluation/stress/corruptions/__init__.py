"""Common corruptions of pictures and of recordings, each at five severities.

Those of pictures are families of Hendrycks & Dietterich 2019, arXiv 1903.12261. Every one is a
function of the picture or the sound, of a severity from 1 to 5 and of a generator, and of nothing
else: no global random state, so that threads may share the work.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fuseline.evaluation.stress.corruptions.blur import defocus_blur, motion_blur, zoom_blur
from fuseline.evaluation.stress.corruptions.digital import (
    contrast,
    elastic_transform,
    jpeg_compression,
    pixelate,
)
from fuseline.evaluation.stress.corruptions.noise import (
    gaussian_noise,
    impulse_noise,
    shot_noise,
    speckle_noise,
)
from fuseline.evaluation.stress.corruptions.sound import (
    clipping,
    dropout,
    gain,
    time_shift,
    white_noise,
)
from fuseline.evaluation.stress.corruptions.weather import brightness, fog

# (H, W, 3) uint8 to the same; (N,) float32 in [-1, 1] to the same.
Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

IMAGE_CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "speckle_noise": speckle_noise,
    "defocus_blur": defocus_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}

AUDIO_CORRUPTIONS: dict[str, Corruption] = {
    "white_noise": white_noise,
    "gain": gain,
    "clipping": clipping,
    "time_shift": time_shift,
    "dropout": dropout,
}
