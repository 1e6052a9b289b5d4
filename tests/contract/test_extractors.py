"""Every entry of `EXTRACTORS` keeps the promises that the stages behind it rely on."""

import json

import numpy as np
import pytest
from ruamel.yaml import YAML

from fuseline.config import load_section
from fuseline.contracts import features_schema, read_table
from fuseline.data.modalities.extraction.extract import Counts
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.params.base import MODALITIES
from fuseline.params.extract_features import ExtractFeaturesParams
from tests.support.examples_tables import mp4, png, wav, write_examples
from tests.support.repository import REPOSITORY

PARAMS = load_section("extract_features", ExtractFeaturesParams, REPOSITORY / "params.yaml")
PRESENT = {
    "image": {"image": png("red")},
    "audio": {"audio": wav(np.zeros(800, np.float32), 8000)},
    "video": {"video": mp4()},
    "tabular": {"tabular": {"size": "1"}},
}
every_extractor = pytest.mark.parametrize("modality", EXTRACTORS)


def extracted(modality, tmp_path, rows):
    params = getattr(PARAMS, modality)
    if hasattr(params, "image_size"):
        params = params.model_copy(update={"encoder": "patches"})
    examples = write_examples(tmp_path / "examples", rows)
    return EXTRACTORS[modality](examples, tmp_path / "features", params, "fp32")


def test_all_modalities_but_text_are_cells_of_the_matrix():
    declared = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"]["extract_features"]
    assert list(EXTRACTORS) == declared["matrix"]["modality"]
    assert {*EXTRACTORS, "text"} == set(MODALITIES)
    assert set(ExtractFeaturesParams.model_fields) == set(EXTRACTORS)


@every_extractor
def test_rows_keep_their_order_and_shards_their_names(modality, tmp_path):
    rows = [PRESENT[modality], {}, {}, PRESENT[modality], {}]
    metrics = extracted(modality, tmp_path, rows)
    manifest = json.loads((tmp_path / "features" / "manifest.json").read_text())
    assert {"modality", "shape", "encoder", "revision", "config"} <= set(manifest)
    assert manifest["shards"] == ["00000.parquet", "00001.parquet"]
    table = read_table(tmp_path / "features", features_schema(*manifest["shape"]), "features")
    assert table.column("example_id").to_pylist() == [f"row-{row}" for row in range(5)]
    assert table.column("features").is_null().to_pylist() == [False, True, True, False, True]
    assert set(Counts().figures(1, 1)) <= set(metrics)


@every_extractor
def test_where_no_row_has_it_the_table_says_so(modality, tmp_path):
    extracted(modality, tmp_path, [{}] * 3)
    manifest = json.loads((tmp_path / "features" / "manifest.json").read_text())
    assert manifest == {
        "kind": "features",
        "schema_version": manifest["schema_version"],
        "rows": 3,
        "shards": ["00000.parquet"],
        "modality": modality,
        "shape": [1, 1],
        "encoder": "",
        "revision": "",
        "config": None,
    }
