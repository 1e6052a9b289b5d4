import pytest

from fuseline.data.modalities.text.tokenizer import _train_tokenizer
from fuseline.params.tokenize import ScratchTextParams


@pytest.fixture
def tokenizer_folder(tmp_path):
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    params = ScratchTextParams(vocab_size=64, hidden_size=16, num_layers=1, num_heads=2)
    _train_tokenizer(iter(["red dot", "blue square"]), params).save(str(folder / "tokenizer.json"))
    return folder
