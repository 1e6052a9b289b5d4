import threading
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve

from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.stress.corruptions import AUDIO_CORRUPTIONS, IMAGE_CORRUPTIONS
from fuseline.evaluation.stress.corruptions.blur import defocus_blur, disc, trail
from fuseline.evaluation.stress.corruptions.severity import SEVERITIES
from fuseline.evaluation.stress.corruptions.weather import clouds
from fuseline.params.stress_media import AudioCorruptionName, ImageCorruptionName

every_picture = pytest.mark.parametrize("name", IMAGE_CORRUPTIONS)
# What each channel gets for itself.
NOISES = [name for name in IMAGE_CORRUPTIONS if name.endswith("_noise")]
every_sound = pytest.mark.parametrize("name", AUDIO_CORRUPTIONS)


def picture(side=48):
    """A yellow disc with a dark rim on white, somewhat shaded."""
    across = np.linspace(-1, 1, side)
    distance = np.hypot(across[:, None], across[None])
    shares = np.ones((side, side, 3))
    shares[distance < 0.8] = 0.1
    shares[distance < 0.65] = (0.9, 0.8, 0.2)
    return np.rint(shares * (230 + 20 * across[:, None, None])).astype(np.uint8)


def sound(count=4000):
    return (0.4 * np.sin(np.arange(count) / 9.0) * np.hanning(count)).astype(np.float32)


def corrupted(name, severity=3, of=None, seed=0):
    table, usual = (
        (IMAGE_CORRUPTIONS, picture) if name in IMAGE_CORRUPTIONS else (AUDIO_CORRUPTIONS, sound)
    )
    return table[name](usual() if of is None else of, severity, np.random.default_rng(seed))


def test_params_know_every_corruption():
    assert set(get_args(ImageCorruptionName)) == set(IMAGE_CORRUPTIONS)
    assert set(get_args(AudioCorruptionName)) == set(AUDIO_CORRUPTIONS)


@pytest.mark.parametrize("name", [*IMAGE_CORRUPTIONS, *AUDIO_CORRUPTIONS])
def test_the_generator_decides_and_nothing_else(name):
    np.random.seed(0)
    first = corrupted(name)
    before = np.random.get_state()[1].copy()
    second = corrupted(name)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("name", [*IMAGE_CORRUPTIONS, *AUDIO_CORRUPTIONS])
def test_the_medium_is_left_as_it_was(name):
    medium = picture() if name in IMAGE_CORRUPTIONS else sound()
    untouched = medium.copy()
    changed = corrupted(name, 5, of=medium)
    np.testing.assert_array_equal(medium, untouched)
    assert (changed != medium).any()


@pytest.mark.parametrize(
    "name",
    [*NOISES, "motion_blur", "fog", "elastic_transform", "white_noise", "dropout"],
)
def test_what_is_drawn_differs_between_generators(name):
    assert (corrupted(name, seed=0) != corrupted(name, seed=1)).any()


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
@pytest.mark.parametrize("name", [*IMAGE_CORRUPTIONS, *AUDIO_CORRUPTIONS])
def test_another_severity_is_refused(name, severity):
    with pytest.raises(ConfigError, match=f"from 1 .least. to 5, found {severity}"):
        corrupted(name, severity)


@every_picture
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (40, 25, 3)])
def test_pictures_of_any_size_keep_their_shape(name, severity, shape):
    found = corrupted(name, severity, of=np.full(shape, 90, np.uint8))
    assert found.shape == shape and found.dtype == np.uint8


@pytest.mark.parametrize(
    "name", ["defocus_blur", "motion_blur", "zoom_blur", "pixelate", "elastic_transform"]
)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_moving_what_is_even_changes_nothing(name, value):
    even = np.full((30, 30, 3), value, np.uint8)
    np.testing.assert_array_equal(corrupted(name, 5, of=even), even)


@pytest.mark.parametrize(
    "name",
    [name for name in IMAGE_CORRUPTIONS if name not in NOISES],
)
def test_a_grey_picture_stays_grey(name):
    grey = np.repeat(picture()[..., :1], 3, axis=-1)
    found = corrupted(name, 5, of=grey).astype(int)
    assert np.ptp(found, axis=-1).max() == 0


@every_picture
@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_rgb_picture_is_refused(name, wrong):
    with pytest.raises(ContractError, match=r"expected \(H, W, 3\) uint8 with at least one pixel"):
        corrupted(name, of=wrong)


@every_sound
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("count", [1, 2, 19, 4000])
def test_sounds_of_any_length_keep_it(name, severity, count):
    found = corrupted(name, severity, of=np.full(count, 0.9, np.float32))
    assert found.shape == (count,) and found.dtype == np.float32
    assert np.abs(found).max() <= 1.0


@every_sound
def test_silence_stays_silent(name):
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(corrupted(name, 5, of=silence), silence)


@every_sound
@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 2), np.float32), np.zeros(4), np.zeros(0, np.float32)]
)
def test_what_is_no_waveform_is_refused(name, wrong):
    with pytest.raises(ContractError, match=r"expected \(N,\) float32 with at least one sample"):
        corrupted(name, of=wrong)


@pytest.mark.parametrize(("severity", "decibels"), [(1, 20.0), (3, 10.0), (5, 0.0)])
def test_noise_has_the_ratio_that_it_promises(severity, decibels):
    clean = 0.1 * sound()
    noise = corrupted("white_noise", severity, of=clean).astype(float) - clean
    assert 10 * np.log10((clean**2).mean() / (noise**2).mean()) == pytest.approx(decibels, abs=0.01)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.05), (3, 0.2), (5, 0.5)])
def test_a_shifted_clip_loses_a_share(severity, share):
    clean = np.linspace(0.1, 1.0, 1000, dtype=np.float32)
    ends = set()
    for seed in range(8):
        found = corrupted("time_shift", severity, of=clean, seed=seed)
        lost = round(1000 * share)
        assert (found == 0).sum() == lost
        kept = clean[lost:] if found[0] else clean[:-lost]
        np.testing.assert_array_equal(found[found > 0], kept)
        ends.add(bool(found[0]))
    assert ends == {True, False}


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (40, 31)])
@pytest.mark.parametrize("radius", [0.01, 0.6, 3.3, 12.0])
def test_defocus_is_the_convolution_with_a_disc(shape, radius, monkeypatch):
    monkeypatch.setattr("fuseline.evaluation.stress.corruptions.blur.scale", lambda _: radius / 6.0)
    values = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    kernel = disc(radius).astype(float)
    expected = [convolve(values[..., c].astype(float), kernel, mode="nearest") for c in range(3)]
    found = defocus_blur(values, 3, np.random.default_rng(0))
    # Halves may be rounded either way.
    assert np.abs(np.stack(expected, axis=-1) - found).max() <= 0.501


def test_a_trail_points_where_its_angle_does():
    kernel = trail(8.0, 100.0, 0.0)
    assert kernel.sum() == pytest.approx(1.0)
    middle = len(kernel) // 2
    assert kernel[middle, middle:].sum() == pytest.approx(1.0)
    diagonal = trail(8.0, 100.0, np.pi / 4)
    rows, columns = np.indices(diagonal.shape) - middle
    assert (diagonal * rows).sum() == pytest.approx((diagonal * columns).sum(), abs=1e-5)
    assert (diagonal * rows).sum() == pytest.approx(4.0 * np.sin(np.pi / 4), abs=0.1)


def test_lengths_follow_the_size_of_the_picture():
    large = picture(224)
    small = np.asarray(Image.fromarray(large).resize((112, 112), Image.Resampling.BOX))
    for name in ("defocus_blur", "zoom_blur"):
        of_large, of_small = corrupted(name, 4, of=large), corrupted(name, 4, of=small)
        shrunk = Image.fromarray(of_large).resize((112, 112), Image.Resampling.BOX)
        assert np.abs(np.asarray(shrunk).astype(int) - of_small).mean() < 2.0


def test_clouds_reach_from_black_to_white_and_more_decay_makes_them_smoother():
    smooth, rough = (clouds(64, decay, np.random.default_rng(0)) for decay in (2.0, 1.2))
    for found in (smooth, rough):
        assert (found.min(), found.max(), found.shape) == (0.0, 1.0, (64, 64))
    assert np.abs(np.diff(smooth)).mean() < np.abs(np.diff(rough)).mean()


def test_threads_do_not_mix_their_draws():
    alone = [corrupted("fog", seed=seed) for seed in range(16)]
    found = {}

    def work(seeds):
        for seed in seeds:
            found[seed] = corrupted("fog", seed=seed)

    threads = [threading.Thread(target=work, args=(range(start, 16, 2),)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, expected in enumerate(alone):
        np.testing.assert_array_equal(found[seed], expected)
