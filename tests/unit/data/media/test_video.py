from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from fuseline.data.media import MediaError, MediaTooLarge
from fuseline.data.media.video import Limits, read_video, sample_frames, sound_track
from tests.support.media import RATE, picture, real_media, sound, tone, video

VIDEOS = [name for name in real_media() if name.endswith((".mp4", ".webm", ".mkv", ".avi", ".ts"))]


@pytest.mark.parametrize("name", VIDEOS)
def test_every_container_decodes_to_the_same_frames(name: str) -> None:
    found = read_video(real_media()[name], num_frames=5)
    assert (found.num_frames, found.width, found.height) == (10, 64, 48)
    assert found.duration_seconds == pytest.approx(0.4, abs=1e-3)
    # Of ten frames, those in the middle of five pairs; red grows by ten levels a frame.
    red = [np.asarray(frame)[10:40, 40:60, 0].mean() for frame in found.frames]
    assert red == pytest.approx([10, 30, 50, 70, 90], abs=9)


def test_frames_are_the_same_each_time() -> None:
    content = video(codec="libx264")
    first, second = sample_frames(content, 4), sample_frames(content, 4)
    assert [frame.tobytes() for frame in first] == [frame.tobytes() for frame in second]
    assert {frame.mode for frame in first} == {"RGB"}


def test_a_short_video_repeats_frames() -> None:
    frames = sample_frames(video(num_frames=2), 4)
    tops = [frame.tobytes() for frame in frames]
    assert tops[0] == tops[1] != tops[2] == tops[3]


def test_rotated_videos_become_upright() -> None:
    found = read_video(video(rotation=90), num_frames=1)
    assert (found.width, found.height, found.frames[0].size) == (48, 64, (48, 64))


def test_sound_track() -> None:
    content = video(sound_codec="aac", num_frames=25)
    assert read_video(content).has_sound
    heard = sound_track(content)
    assert heard is not None
    assert (heard.sampling_rate, heard.samples.dtype) == (RATE, np.float32)
    assert heard.duration_seconds == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard.samples))
    assert spectrum.argmax() / heard.duration_seconds == pytest.approx(440, abs=2)


def test_without_sound() -> None:
    assert sound_track(video()) is None
    assert not read_video(video()).has_sound


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_short(name: str, share: float) -> None:
    content = real_media()[name]
    with pytest.raises(MediaError):
        read_video(content[: int(share * len(content)) | 1])


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(seconds=0.3), "longer than 0.3 seconds"),
        (Limits(frames=9), "more than 9 frames"),
        (Limits(pixels_per_frame=64 * 48 - 1), "frames of 64 x 48 pixels, more than 3071"),
    ],
)
def test_too_large(limits: Limits, message: str) -> None:
    with pytest.raises(MediaTooLarge, match=message):
        read_video(video(), limits=limits)


def test_limits_that_are_just_met() -> None:
    """Its sound ends a little after the picture."""
    content = video(sound_codec="aac")
    heard = sound_track(content)
    assert heard is not None
    assert heard.duration_seconds > 0.4
    read_video(content, limits=Limits(0.4, 10, 64 * 48))


def test_sound_that_goes_on_without_a_picture_counts() -> None:
    with pytest.raises(MediaTooLarge, match="longer than"):
        read_video(video(sound_codec="aac", sound_seconds=3.0), limits=Limits(seconds=1.0))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        b"http://127.0.0.1/video.mp4",
        picture("GIF"),
        picture("JPEG"),
        sound("MP3"),
        sound("WAV"),
        # A song: an Ogg without a picture.
        sound("OGG"),
        # As far as the brand goes, a still picture.
        video()[:8] + b"avif" + video()[12:],
    ],
)
def test_nothing_but_videos_is_opened(content: bytes) -> None:
    with pytest.raises(MediaError):
        read_video(content)


def _flipped(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 0x10
    return bytes(changed)


def _is_refused(content: bytes) -> bool:
    try:
        read_video(content)
    except MediaError:
        return True
    return False


def test_damage_that_decoders_would_conceal_is_refused() -> None:
    content = video()
    first = content.index(b"mdat") + 20
    refused = [_is_refused(_flipped(content, first + 23 * step)) for step in range(26)]
    # The others hit a colour here and there, which nothing can tell from the film's own.
    assert sum(refused) >= 12


def test_a_songs_cover_is_no_video() -> None:
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        track = container.add_stream("aac", RATE)
        track.layout = "mono"
        cover = container.add_stream("mjpeg", 1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), "red"))
        container.mux(cover.encode(frame))
        container.mux(cover.encode())
        heard = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
        heard.rate, heard.pts = RATE, 0
        container.mux(track.encode(heard))
        container.mux(track.encode())
    with pytest.raises(MediaError, match="without a picture"):
        read_video(file.getvalue())
    assert sound_track(file.getvalue()) is not None
