import json

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.contract import CONTRACT_FILE, read_contract


def test_a_folder_without_an_export_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"dvc repro export"):
        read_contract(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}', '{"version": 2}'])
def test_a_contract_that_cannot_be_read_is_an_error(tmp_path, content):
    (tmp_path / CONTRACT_FILE).write_text(content)
    with pytest.raises(ConfigError, match=CONTRACT_FILE):
        read_contract(tmp_path)


def test_what_is_wrong_is_named(tmp_path):
    (tmp_path / CONTRACT_FILE).write_text(json.dumps({"version": 2, "modalities": "text"}))
    with pytest.raises(ConfigError, match=r"modalities: Input should be a valid list"):
        read_contract(tmp_path)
