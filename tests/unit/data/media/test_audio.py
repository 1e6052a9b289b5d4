from __future__ import annotations

import struct

import numpy as np
import pytest

from fuseline.data.media import MediaError, MediaTooLarge
from fuseline.data.media.audio import decode_audio, resample
from fuseline.data.media.waveform import Waveform
from tests.support.media import RATE, picture, sound, stream, tone, video

KINDS = [
    ("WAV", None),
    ("WAV", "FLOAT"),
    ("FLAC", None),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", None),
    ("AIFF", None),
    ("AIFF", "FLOAT"),
    ("AU", None),
    ("AU", "ULAW"),
    ("CAF", None),
    ("CAF", "FLOAT"),
]


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_format_decodes_to_the_same_sound(kind: str, subtype: str | None) -> None:
    waveform = decode_audio(sound(kind, subtype=subtype))
    assert (waveform.sampling_rate, waveform.samples.dtype) == (RATE, np.float32)
    assert waveform.samples.shape == (RATE // 2,)
    assert waveform.duration_seconds == 0.5
    middle = slice(RATE // 8, 3 * RATE // 8)
    assert np.corrcoef(waveform.samples[middle], tone()[middle])[0, 1] > 0.99


STREAMED = [("adts", "aac"), ("ipod", "aac"), ("ipod", "alac"), ("matroska", "libopus")]


@pytest.mark.parametrize(("kind", "codec"), STREAMED)
def test_sound_alone_in_a_container_of_films_decodes(kind: str, codec: str) -> None:
    waveform = decode_audio(stream(kind, codec))
    assert waveform.samples.dtype == np.float32
    assert 0.4 <= waveform.duration_seconds <= 0.7, "encoders pad the beginning and the end"
    samples = resample(waveform, RATE).samples
    strongest = np.abs(np.fft.rfft(samples)).argmax() / len(samples) * RATE
    assert strongest == pytest.approx(440, abs=5)


@pytest.mark.parametrize(("kind", "codec"), STREAMED)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_sound_in_a_container_of_films_may_not_be_cut_short(
    kind: str, codec: str, share: float
) -> None:
    content = stream(kind, codec)
    with pytest.raises(MediaError):
        decode_audio(content[: int(share * len(content))])


def test_sound_in_a_container_of_films_is_limited_too() -> None:
    with pytest.raises(MediaTooLarge, match=r"longer than 0\.25 seconds"):
        decode_audio(stream("adts", "aac"), max_seconds=0.25)


def test_sound_whose_layout_changes_in_the_middle_is_damaged() -> None:
    content = stream("adts", "aac") + stream("adts", "aac", layout="stereo")
    with pytest.raises(MediaError, match="changes in the middle"):
        decode_audio(content)


def test_a_film_without_sound_is_no_sound() -> None:
    with pytest.raises(MediaError, match="without samples"):
        decode_audio(video())


def test_channels_are_averaged() -> None:
    left = tone()
    waveform = decode_audio(sound(samples=np.stack([left, np.zeros_like(left)], axis=1)))
    np.testing.assert_allclose(waveform.samples, left / 2, atol=1e-4)


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_cut_short(kind: str, subtype: str | None, share: float) -> None:
    content = sound(kind, subtype=subtype)
    with pytest.raises(MediaError):
        decode_audio(content[: int(share * len(content))])


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_one_byte_short(kind: str, subtype: str | None) -> None:
    with pytest.raises(MediaError):
        decode_audio(sound(kind, subtype=subtype)[:-1])


def test_a_stream_of_unknown_length_is_no_cut_one() -> None:
    """Programs that write to a pipe cannot go back to fill the size in."""
    content = bytearray(sound())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert len(decode_audio(bytes(content)).samples) == RATE // 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "zero bytes"),
        (b"no sound at all", "no WAV, FLAC, Ogg, MP3, AIFF"),
        (picture(), "no WAV, FLAC, Ogg, MP3, AIFF"),
        (video(), "without samples"),
        (b"\x80\x04\x95pickle", "no WAV, FLAC, Ogg, MP3, AIFF"),
        (b"FORM\0\0\0\x2eAIFFCOMM", "cut short: 54 bytes are promised, 16 are there"),
        (sound(samples=np.zeros(0, np.float32)), "without samples"),
        (sound(samples=np.full(9, np.nan, np.float32), subtype="FLOAT"), "not a finite number"),
        (sound(samples=np.full(9, np.inf, np.float32), subtype="FLOAT"), "not a finite number"),
    ],
)
def test_unreadable(content: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message) as error:
        decode_audio(content)
    assert not isinstance(error.value, MediaTooLarge)


def test_absurd_sampling_rate() -> None:
    content = bytearray(sound())
    struct.pack_into("<I", content, 24, 2)
    with pytest.raises(MediaError, match="a sampling rate of 2 Hz"):
        decode_audio(bytes(content))


def test_too_long_is_found_before_the_end() -> None:
    """A FLAC of silence is small, whatever it decodes to."""
    hour = sound("FLAC", np.zeros(3600 * RATE // 4, np.float32))
    assert len(hour) < 200_000
    with pytest.raises(MediaTooLarge, match="longer than 10 seconds"):
        decode_audio(hour, max_seconds=10.0)
    assert len(decode_audio(sound(), max_seconds=0.5).samples) == RATE // 2


def test_louder_than_full_scale_is_scaled() -> None:
    """Some programs store the levels of 16 bits as floating-point numbers."""
    waveform = decode_audio(sound(samples=32768 * tone(), subtype="FLOAT"))
    assert np.abs(waveform.samples).max() == 1.0
    np.testing.assert_allclose(waveform.samples, tone() / np.abs(tone()).max(), atol=1e-5)


def test_resampling_keeps_the_sound() -> None:
    half = resample(Waveform(tone(), RATE), RATE // 2)
    assert (half.sampling_rate, half.samples.shape) == (RATE // 2, (RATE // 4,))
    np.testing.assert_allclose(half.samples[500:-500], tone()[::2][500:-500], atol=1e-3)
    assert resample(half, half.sampling_rate) is half


def test_resampling_leaves_at_least_one_sample() -> None:
    assert len(resample(Waveform(tone()[:1], 48_000), 8_000).samples) == 1
