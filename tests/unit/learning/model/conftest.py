import pytest

from fuseline.data.modalities.text.vocabulary import train_tokenizer


@pytest.fixture
def tokenizer_folder(tmp_path):
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    train_tokenizer(["red dot", "blue square"], 64, words=True).save(str(folder / "tokenizer.json"))
    return folder
