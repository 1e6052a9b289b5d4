import pytest

from fuseline.errors import ContractError
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.server.examples import example_row, film, self_test, sound


def test_an_export_answers_an_example_of_its_own(export):
    predictor = Predictor(export, Options(probabilities=True))
    self_test(predictor)
    row = example_row(predictor.contract)
    assert row.text and row.image and row.audio is None and row.tabular is None


def test_every_medium_has_one(export):
    contract = Predictor(export).contract
    row = example_row(contract.model_copy(update={"modalities": ["audio", "video"]}))
    assert row.audio.bytes == sound()
    assert row.video.bytes[:12] == film()[:12]
    assert row.text is None


def test_an_answer_without_a_number_fails(export, monkeypatch):
    predictor = Predictor(export)
    temperature = predictor.contract.certainty.model_copy(update={"temperature": float("nan")})
    monkeypatch.setattr(predictor._answers[0], "certainty", temperature)
    with pytest.raises(ContractError, match="expected numbers in the answer"):
        self_test(predictor)


def test_a_row_that_it_refuses_fails(export, monkeypatch):
    predictor = Predictor(export)
    limits = predictor.contract.ingest.limits.model_copy(update={"max_text_characters": 1})
    monkeypatch.setattr(predictor._clean._validator, "_limits", limits)
    with pytest.raises(ContractError, match="refuses an example row"):
        self_test(predictor)
