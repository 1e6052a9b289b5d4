import json

from transformers import BertConfig

from fuseline.modalities.configs import portable


def test_no_path_of_the_machine_is_part_of_a_saved_configuration(tmp_path):
    config = BertConfig(hidden_size=16)
    config.save_pretrained(tmp_path)
    loaded = BertConfig.from_pretrained(tmp_path)
    loaded._name_or_path = str(tmp_path)  # as the automatic classes leave it
    assert str(tmp_path) in json.dumps(loaded.to_dict())
    assert portable(loaded) == portable(config)
    assert str(tmp_path) not in json.dumps(portable(loaded))
