"""The fields of a form, by what a model takes."""

from __future__ import annotations

import pytest

from fuseline.serving.contract import FeatureInput, read_contract
from fuseline.serving.server.fields import fields_of

COLUMNS = [
    {"kind": "date", "name": "day", "mean": 0.0, "deviation": 1.0, "has_time": False},
    {"kind": "date", "name": "hour", "mean": 0.0, "deviation": 1.0, "has_time": True},
    {"kind": "numeric", "name": "length", "mean": 2.0, "deviation": 1.0, "edges": [1.0, 2.5, 4.0]},
    {"kind": "numeric", "name": "empty", "mean": 0.0, "deviation": 1.0, "edges": []},
    {"kind": "categorical", "name": "material", "categories": ["glass", "metal"]},
]


def feature(places: int = 1, **settings: object) -> FeatureInput:
    return FeatureInput(
        positions=1, dim=1, shortest=1, places=places, encoder="", file=None, settings=settings
    )


def found(contract):
    return [one.model_dump(exclude_none=True) for one in fields_of(contract)]


@pytest.fixture
def contract(export):
    return read_contract(export)


def test_texts_and_pictures(contract):
    assert found(contract) == [{"kind": "text"}, {"kind": "image"}]


def test_cells_say_what_they_may_hold(contract):
    features = {"tabular": feature(columns=COLUMNS)}
    changes = {"modalities": ["tabular"], "features": features}
    assert found(contract.model_copy(update=changes)) == [
        {"kind": "cell", "name": "day", "values": "date"},
        {"kind": "cell", "name": "hour", "values": "time"},
        {"kind": "cell", "name": "length", "values": "number", "range": (1.0, 4.0)},
        {"kind": "cell", "name": "empty", "values": "number"},
        {
            "kind": "cell", "name": "material", "values": "category",
            "choices": ["glass", "metal"],
        },
    ]  # fmt: skip


def test_a_model_of_sounds_hears_videos_too(contract):
    changes = {"modalities": ["audio"], "features": {"audio": feature()}}
    assert found(contract.model_copy(update=changes)) == [{"kind": "audio"}, {"kind": "video"}]


def test_several_texts_and_pictures_bear_their_columns_names(contract):
    content = contract.model_dump()
    content["ingest"]["source"] = "manifest"
    columns = content["ingest"]["manifest"]["columns"]
    columns |= {"text": ["title", "story"], "image": ["front", "back"]}
    content["ingest"]["limits"]["max_images"] = 2
    content["features"]["image"]["places"] = 2
    named = type(contract).model_validate(content)
    assert [(one["kind"], one["name"]) for one in found(named)] == [
        ("text", "title"), ("text", "story"), ("image", "front"), ("image", "back"),
    ]  # fmt: skip
    # Lists of pictures in one column.
    content["ingest"]["manifest"]["columns"]["image"] = "photos"
    named = type(contract).model_validate(content)
    assert found(named)[2:] == [{"kind": "image"}, {"kind": "image"}]
