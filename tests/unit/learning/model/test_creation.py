import json

import pytest
import torch
from transformers import BertConfig

from fuseline.contracts import TableWriter, features_schema
from fuseline.data.modalities.checkpoints import portable
from fuseline.data.modalities.text.characters import CharacterEncoder
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.creation import create_model
from fuseline.learning.model.feature_encoders import ConvEncoder, PerceptronEncoder
from fuseline.params.pretrain import FusionParams, ModelParams

PARAMS = ModelParams(
    hidden_size=16,
    contrastive_size=8,
    fusion=FusionParams(
        kind="attention", num_layers=1, num_heads=2, num_bottleneck_tokens=1, dropout=0.0
    ),
)
MANIFESTS = {
    "image": {"shape": [1, 1], "encoder": ""},  # as where no row has a picture
    "audio": {"shape": [4, 6], "encoder": "log_mel"},
    "video": {"shape": [2, 5], "encoder": "patches"},
    "tabular": {"shape": [1, 3], "encoder": "columns"},
}


@pytest.fixture
def features(tmp_path):
    for name, facts in MANIFESTS.items():
        schema = features_schema(*facts["shape"])
        TableWriter(tmp_path / name, schema, "features").finish(
            modality=name, revision="", config=None, **facts
        )
    return tmp_path


def test_features_that_no_network_made_get_an_encoder_of_their_own(
    features, tokenizer_folder, tmp_path
):
    """And a saved model builds it again from its own configuration."""
    torch.manual_seed(0)
    model = create_model(PARAMS, tokenizer_folder, features, list(MANIFESTS))
    encoders = {name: part.encoder for name, part in model.fuseline.embeddings.items()}
    assert isinstance(encoders["audio"], ConvEncoder)
    assert isinstance(encoders["tabular"], PerceptronEncoder)
    assert encoders["image"] is None
    assert encoders["video"] is None
    model.save_pretrained(tmp_path / "model")
    again = FuselineForTasks.from_pretrained(tmp_path / "model", num_labels=2)
    ours, theirs = model.fuseline.state_dict(), again.fuseline.state_dict()
    assert set(ours) == set(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_without_pictures_there_is_no_image_encoder(features, tokenizer_folder):
    model = create_model(PARAMS, tokenizer_folder, features, ["image", "audio"])
    assert model.fuseline.image_encoder is None
    assert model.config.image_encoder is None


def test_a_model_of_characters_is_built_again_from_its_own_configuration(features, tmp_path):
    folder = tmp_path / "characters"
    folder.mkdir()
    train_tokenizer(["да", "нет"], 64, words=False).save(str(folder / "tokenizer.json"))
    facts = {"encoder": "characters", "hidden_size": 32, "longest_run": 2, "max_length_tokens": 8}
    (folder / "encoder.json").write_text(json.dumps(facts))
    model = create_model(PARAMS, folder, features, ["text", "tabular"])
    text = model.fuseline.text_encoder
    assert isinstance(text, CharacterEncoder)
    assert (text.config.hidden_size, text.config.longest_run) == (32, 2)
    torch.nn.init.normal_(text.embeddings.weight)
    model.save_pretrained(tmp_path / "model")
    again = FuselineForTasks.from_pretrained(tmp_path / "model", num_labels=2)
    assert torch.equal(again.fuseline.text_encoder.embeddings.weight, text.embeddings.weight)


def test_no_path_of_the_machine_is_part_of_a_saved_configuration(tmp_path):
    config = BertConfig(hidden_size=16)
    config.save_pretrained(tmp_path)
    loaded = BertConfig.from_pretrained(tmp_path)
    loaded._name_or_path = str(tmp_path)  # as the automatic classes leave it
    assert str(tmp_path) in json.dumps(loaded.to_dict())
    assert portable(loaded) == portable(config)
    assert str(tmp_path) not in json.dumps(portable(loaded))
