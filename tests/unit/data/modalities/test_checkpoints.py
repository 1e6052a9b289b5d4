import json

import huggingface_hub
import pytest

from fuseline.data.modalities.checkpoints import (
    checkpoint_folder,
    checkpoint_identity,
    image_encoder_identity,
    weights_hash,
)
from fuseline.errors import ConfigError


def save(folder, weights=b"weights", name="model.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "vit"}')
    (folder / name).write_bytes(weights)
    return folder


def folder_of(name):
    return checkpoint_folder(str(name), where="here.encoder", names=("builtin",))


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert folder_of(save(tmp_path / "a")) == tmp_path / "a"


def test_a_hub_id_is_fetched_at_its_revision_without_pickles(tmp_path, monkeypatch):
    asked = []

    def download(repository, **given):
        asked.append((repository, given))
        return str(save(tmp_path / "snapshot"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert folder_of("owner/name@abc123") == tmp_path / "snapshot"
    ((repository, given),) = asked
    assert (repository, given["revision"]) == ("owner/name", "abc123")
    assert "*.safetensors" in given["allow_patterns"]
    assert not any("bin" in pattern or "py" in pattern for pattern in given["allow_patterns"])


@pytest.mark.parametrize("name", ["owner/name", "owner/name@", "@abc", "no/such/folder", ""])
def test_without_a_revision_nothing_is_fetched(name, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    with pytest.raises(ConfigError, match=r"here\.encoder: expected 'builtin', a folder .*`id@rev"):
        folder_of(name)


def test_a_failed_download_is_told(monkeypatch):
    def download(repository, **given):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ConfigError, match="'owner/name@abc' could not be fetched: no network"):
        folder_of("owner/name@abc")


def test_pickled_weights_are_refused(tmp_path):
    save(tmp_path / "a", name="pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"holds no \*\.safetensors"):
        folder_of(tmp_path / "a")


def test_the_identity_follows_weights_settings_and_parts(tmp_path):
    def identity(name, **given):
        return checkpoint_identity(str(save(tmp_path / name, **given)), where="here")

    first = identity("a")
    assert first["weights"] != identity("b", weights=b"others")["weights"]
    (tmp_path / "a" / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3}))
    assert identity("a")["settings"] != first["settings"]
    one = weights_hash(save(tmp_path / "c", name="model-00001-of-00002.safetensors"))
    two = weights_hash(save(tmp_path / "c", name="model-00002-of-00002.safetensors"))
    assert one != two


def test_built_in_image_encoders_are_known_without_a_folder():
    where = "extract_features.image.encoder"
    assert image_encoder_identity("patches", where=where) == {"encoder": "patches"}
    assert len(image_encoder_identity("efficientnet_lite0", where=where)["weights"]) == 64
