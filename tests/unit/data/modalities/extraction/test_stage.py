"""What the stage loads: nothing heavy where there is nothing to compute."""

import json
import shutil
import subprocess
import sys

import pytest

from fuseline.pipeline.metrics_file import read_metrics
from tests.support.examples_tables import png, write_examples
from tests.support.repository import REPOSITORY

HEAVY = ("torch", "torch._inductor", "transformers", "av", "soundfile")
SCRIPT = """
import json, sys
from stages.extract_features import app
for modality in sys.argv[1:]:
    app([f"--modality={modality}", "--examples=examples", f"--features=f/{modality}",
         f"--metrics=m/{modality}.json"], standalone_mode=False)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    params = (REPOSITORY / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("efficientnet_lite0", "patches"))
    (tmp_path / "code.json").write_text("{}")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}:{REPOSITORY / 'src'}")

    def run(*modalities):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *modalities],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        return [name for name in json.loads(done.stdout.splitlines()[-1]) if name in HEAVY]

    return run


def test_modalities_that_no_row_has_load_nothing_heavy(tmp_path, run):
    write_examples(tmp_path / "examples", [{}] * 4)
    modalities = ("image", "audio", "video", "tabular")
    assert run(*modalities) == []
    for modality in modalities:
        manifest = json.loads((tmp_path / "f" / modality / "manifest.json").read_text())
        assert manifest["encoder"] == ""
        assert read_metrics(tmp_path / "m" / f"{modality}.json")["missing"] == 4


def test_a_second_run_loads_nothing_heavy_and_writes_the_same(tmp_path, run):
    write_examples(tmp_path / "examples", [{"image": png(level, mode="L")} for level in range(5)])
    assert run("image") == ["torch"]
    assert (tmp_path / ".feature_cache").is_dir()
    first = {path.name: path.read_bytes() for path in (tmp_path / "f" / "image").iterdir()}
    metrics = (tmp_path / "m" / "image.json").read_bytes()
    shutil.rmtree(tmp_path / "f")
    assert run("image") == []
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "f" / "image").iterdir()}
    assert metrics == (tmp_path / "m" / "image.json").read_bytes()
