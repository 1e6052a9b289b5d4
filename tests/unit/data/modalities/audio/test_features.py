import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fuseline.contracts import features_schema, read_manifest, read_table
from fuseline.data.media.waveform import Waveform
from fuseline.data.modalities.audio.features import extract_audio_features
from fuseline.data.modalities.audio.log_mel import LogMel, log_mel, pool
from fuseline.data.modalities.extraction.extract import Runtime
from fuseline.data.modalities.extraction.feature_cache import FeatureCache
from fuseline.errors import ConfigError, ContractError
from fuseline.params.extract_features import AudioFeatureParams
from tests.support.examples_tables import mp4, wav, write_examples

RATE = 8000


def params(encoder="log_mel", rate=RATE, positions=4):
    return AudioFeatureParams(encoder=encoder, sampling_rate=rate, num_mels=16, positions=positions)


def tone(hertz, seconds=0.5, rate=RATE, loudness=0.5):
    times = np.arange(round(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def features_of(samples, rate=RATE, positions=4):
    waveform = Waveform(samples, rate)
    return LogMel(params(positions=positions)).features(waveform).astype(np.float32)


def column(folder):
    shape = read_manifest(folder, "features")["shape"]
    return read_table(folder, features_schema(*shape), "features").column("features").to_pylist()


def test_a_higher_tone_lies_in_a_higher_band():
    low, high = (log_mel(tone(hertz), RATE, 16).mean(0).argmax() for hertz in (300, 2500))
    assert low < high


@pytest.mark.parametrize(("rate", "num_mels"), [(4000, 128), (16000, 64), (48000, 8)])
def test_every_band_holds_a_bin_and_all_values_lie_in_one_range(rate, num_mels):
    noise = np.random.default_rng(0).uniform(-1, 1, rate).astype(np.float32)
    spectrum = log_mel(noise, rate, num_mels)
    assert spectrum.shape == (101, num_mels)
    assert spectrum.max() == 1
    assert (spectrum.max(0) > -1).all()
    assert (spectrum >= -1).all()


def test_loudness_does_not_count_and_silence_is_silent():
    loud, quiet = (features_of(tone(440, loudness=loudness)) for loudness in (0.9, 0.09))
    np.testing.assert_allclose(loud, quiet, atol=0.02)
    assert (features_of(np.zeros(RATE, np.float32)) == -1).all()


def test_the_rate_of_the_file_does_not_count():
    ours, others = (features_of(tone(440, rate=rate), rate) for rate in (RATE, 44100))
    np.testing.assert_allclose(ours[1:-1, :12], others[1:-1, :12], atol=0.1)


def test_positions_follow_time_and_hold_mean_and_maximum():
    values = features_of(np.concatenate([tone(300), tone(2500)]))
    assert values.shape == (4, 32)
    means, peaks = values[:, :16], values[:, 16:]
    assert (means.argmax(1)[:2] < means.argmax(1)[2:]).all()
    assert (peaks >= means - 1e-3).all()


@pytest.mark.parametrize("samples", [1, 10, 199])
def test_a_clip_shorter_than_the_positions_is_stretched(samples):
    values = features_of(np.full(samples, 0.5, np.float32), positions=32)
    assert values.shape == (32, 32)
    assert np.isfinite(values).all()


def test_pooling_spans_cover_every_frame():
    frames = np.arange(10.0)[:, None]
    assert pool(frames, 5, np.mean)[:, 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert pool(frames, 4, np.max)[:, 0].tolist() == [2, 4, 7, 9]
    assert pool(frames[:2], 4, np.mean)[:, 0].tolist() == [0, 0, 1, 1]


def test_a_row_s_audio_is_taken_or_else_the_sound_of_its_video(tmp_path):
    sound = tone(440, rate=16000)
    rows = [
        {"audio": wav(sound, 16000)},
        {"video": mp4(sound=sound)},
        {"video": mp4()},
        {"audio": wav(tone(3000, rate=16000), 16000), "video": mp4(sound=sound)},
        {},
    ]
    examples = write_examples(tmp_path / "examples", rows)
    metrics = extract_audio_features(examples, tmp_path / "f", params(), "fp32")
    values = column(tmp_path / "f")
    assert [value is None for value in values] == [False, False, True, False, True]
    assert metrics["missing"] == 2
    assert np.abs(np.array(values[0]) - values[1]).mean() < 0.3
    assert np.abs(np.array(values[0]) - values[3]).mean() > 0.3
    manifest = read_manifest(tmp_path / "f", "features")
    assert {key: manifest[key] for key in ("encoder", "sampling_rate", "num_mels", "shape")} == {
        "encoder": "log_mel",
        "sampling_rate": RATE,
        "num_mels": 16,
        "shape": [4, 32],
    }


def test_a_sound_that_cannot_be_decoded_is_named(tmp_path):
    examples = write_examples(tmp_path / "examples", [{"audio": b"RIFF but no more"}])
    with pytest.raises(ContractError, match=r"row 'row-0': its audio cannot be decoded"):
        extract_audio_features(examples, tmp_path / "f", params(), "fp32")


def save_wav2vec2(folder):
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(20, 16),
        conv_kernel=(40, 16),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder)


def save_whisper(folder):
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_mel_bins=8,
        vocab_size=32,
        max_source_positions=50,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor(
        feature_size=8, sampling_rate=RATE, hop_length=80, chunk_length=1, n_fft=200
    ).save_pretrained(folder)


def save_ast(folder):
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        patch_size=8,
        frequency_stride=4,
        time_stride=4,
        max_length=104,
        num_mel_bins=16,
    )
    ASTModel(config).save_pretrained(folder)
    ASTFeatureExtractor(sampling_rate=RATE, num_mel_bins=16, max_length=104).save_pretrained(folder)


@pytest.mark.parametrize("save", [save_wav2vec2, save_whisper, save_ast])
def test_a_folder_with_a_transformers_audio_encoder_serves(tmp_path, save):
    save(tmp_path / "encoder")
    clips = [{"audio": wav(tone(440, seconds), RATE)} for seconds in (0.02, 0.5, 0.9)]
    examples = write_examples(tmp_path / "examples", clips)
    given = params(str(tmp_path / "encoder"))
    cache = FeatureCache(tmp_path / "cache", 10_000_000)
    for name in ("cold", "warm"):
        runtime = Runtime(cache)
        metrics = extract_audio_features(examples, tmp_path / name, given, "fp32", runtime)
        assert (metrics["positions"], metrics["dim"]) == (4, 16)
    manifest = read_manifest(tmp_path / "warm", "features")
    assert manifest == read_manifest(tmp_path / "cold", "features")
    assert len(manifest["revision"]) == 64
    assert "_name_or_path" not in manifest["config"]
    assert column(tmp_path / "cold") == column(tmp_path / "warm")
    assert column(tmp_path / "cold")[1] != column(tmp_path / "cold")[2]


def test_of_a_fixed_window_only_the_clip_s_share_is_averaged(tmp_path):
    from fuseline.data.modalities.audio.encoder import AudioEncoder

    save_whisper(tmp_path)
    encoder = AudioEncoder(params(str(tmp_path), positions=2), "fp32")
    seen = []

    def network(values):
        seen.append(values.shape)
        return [np_to_tensor(np.arange(50.0)[None, :, None].repeat(16, 2))]

    encoder.network = network
    half = encoder.features(Waveform(tone(440, 0.5), RATE))
    whole = encoder.features(Waveform(tone(440, 1.0), RATE))
    assert seen[0] == (1, 8, 100)
    assert half[:, 0].tolist() == [np.arange(13).mean(), np.arange(12, 25).mean()]
    assert whole[:, 0].tolist() == [np.arange(25).mean(), np.arange(25, 50).mean()]


def np_to_tensor(values):
    import torch

    return torch.from_numpy(values)


def test_patches_of_a_spectrum_are_brought_into_the_order_of_time(tmp_path):
    from fuseline.data.modalities.audio.encoder import AudioEncoder

    save_ast(tmp_path)
    encoder = AudioEncoder(params(str(tmp_path)), "fp32")
    bands, times = 3, 25
    patches = np.arange(times)[None].repeat(bands, 0).reshape(-1, 1)
    tokens = np.concatenate([np.full((2, 1), 99), patches]).astype(np.float32)
    states = encoder._by_time(np_to_tensor(tokens))
    assert states[:, 0].tolist() == list(range(times))


def test_an_encoder_of_another_rate_is_refused(tmp_path):
    save_wav2vec2(tmp_path / "encoder")
    examples = write_examples(tmp_path / "examples", [{"audio": wav(tone(440), RATE)}])
    given = params(str(tmp_path / "encoder"), rate=16000)
    with pytest.raises(ConfigError, match=r"audio\.sampling_rate: expected 8000, the rate"):
        extract_audio_features(examples, tmp_path / "f", given, "fp32")


@pytest.mark.skipif("FUSELINE_TEST_DATA" not in os.environ, reason="FUSELINE_TEST_DATA not set")
def test_spoken_digits_can_be_told_apart(tmp_path):
    from sklearn.linear_model import LogisticRegression

    recordings = Path(os.environ["FUSELINE_TEST_DATA"], "spoken_digits", "recordings")
    chosen = [
        (digit, take, recordings / f"{digit}_jackson_{take}.wav")
        for digit in (0, 1, 6)
        for take in range(30)
    ]
    rows = [{"audio": path.read_bytes()} for _, _, path in chosen]
    examples = write_examples(tmp_path / "examples", rows, shard_rows=64)
    extract_audio_features(examples, tmp_path / "f", params(positions=8), "fp32")
    values, digits = np.array(column(tmp_path / "f")), np.array([digit for digit, _, _ in chosen])
    held_out = np.array([take < 5 for _, take, _ in chosen])
    model = LogisticRegression(max_iter=500).fit(values[~held_out], digits[~held_out])
    assert model.score(values[held_out], digits[held_out]) > 0.8


def test_a_file_is_whole_bytes():
    rate, samples = RATE, tone(440)
    found, read_rate = soundfile.read(io.BytesIO(wav(samples, rate)), dtype="float32")
    assert read_rate == rate
    np.testing.assert_allclose(found, samples, atol=1e-3)
