"""The environment of a run, and the record of who made which result."""

from __future__ import annotations

import json
import multiprocessing
import re
from pathlib import Path

import pytest
import torch

from fuseline.errors import ContractError
from fuseline.pipeline import environment
from fuseline.pipeline.environment import Maker, current, environment_of, made_by, read_record
from fuseline.pipeline.locks import held

OUT = Path("out")
PARAMS = {"base": {"num_threads": 1, "precision": "auto"}}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    OUT.mkdir()
    (OUT / "part").write_text("rows")
    return tmp_path


def maker(stage: str = "finetune", packages: str = "1.0") -> Maker:
    return Maker(stage, {"packages": {"torch": packages}}, "fp32")


def test_the_environment_names_processor_and_packages_with_their_label() -> None:
    found = current()
    assert found == current()
    assert found["packages"]["torch"] == torch.__version__
    assert found["python"] and found["architecture"] and found["features"]
    text = json.dumps(found)
    assert str(Path.home()) not in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text)


def test_a_variable_that_changes_kernels_changes_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = current()
    monkeypatch.setenv("UNRELATED", "1")
    assert current() == before
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert current()["settings"] == before["settings"] | {"ATEN_CPU_CAPABILITY": "default"}


def test_only_instruction_sets_that_kernels_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = "fpu smep amx_tile avx512_bf16 sme sve2 sse4_1"
    monkeypatch.setattr(environment, "_cpuinfo", lambda: {"flags": flags})
    assert current()["features"] == ["amx_tile", "avx512_bf16", "sme", "sse4_1", "sve2"]


def test_bfloat16_is_used_only_where_torch_has_kernels_for_it() -> None:
    assert torch.cpu._is_avx512_bf16_supported() or not environment.multiplies_bf16()


@pytest.mark.parametrize(
    ("asked", "vendor", "flags", "used"),
    [
        ("auto", "AuthenticAMD", "avx512_bf16", "bf16"),
        ("auto", "AuthenticAMD", "avx512f", "fp32"),
        ("auto", "GenuineIntel", "avx512_bf16", "fp32"),
        ("auto", "GenuineIntel", "avx512_bf16 amx_bf16 amx_tile", "bf16"),
        ("bf16", "GenuineIntel", "", "bf16"),
        ("fp32", "AuthenticAMD", "avx512_bf16", "fp32"),
    ],
)
def test_precision_is_as_asked_or_as_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, asked: str, vendor: str, flags: str, used: str
) -> None:
    facts = {"flags": flags, "vendor_id": vendor}
    monkeypatch.setattr(environment, "_cpuinfo", lambda: facts)
    assert environment.precision_used(asked) == used
    content = {"base": {"num_threads": 1, "precision": asked}}
    assert Maker.of_stage("finetune", content, ["base"]).precision == used
    assert Maker.of_stage("ingest", content, ["ingest"]).precision == ""


def test_the_record_tells_who_made_what_stands_here() -> None:
    maker("finetune").record([OUT])
    assert made_by(Path(), "finetune") == {
        "packages": {"torch": "1.0"},
        "precision": "fp32",
    }
    assert made_by(Path(), "evaluate@finetuned") is None


@pytest.mark.parametrize("change", ["other", None])
def test_of_other_outputs_the_maker_is_unknown(change: str | None) -> None:
    """As when DVC restores them from its run cache: no stage runs then."""
    maker().record([OUT])
    part = OUT / "part"
    part.unlink() if change is None else part.write_text(change)
    assert made_by(Path(), "finetune") is None
    assert environment_of(read_record(), "finetune") is not None


def test_environments_that_no_stage_names_any_more_go() -> None:
    maker("finetune", "1.0").record([OUT])
    maker("pretrain", "1.0").record([OUT])
    assert len(read_record()["environments"]) == 1
    maker("finetune", "2.0").record([OUT])
    assert len(read_record()["environments"]) == 2
    maker("pretrain", "2.0").record([OUT])
    (left,) = read_record()["environments"].values()
    assert left == {"packages": {"torch": "2.0"}}


def record_when(told, stage: str) -> None:
    told.wait(30)
    maker(stage).record([OUT])


def test_a_stage_that_ends_while_another_writes_the_record_waits() -> None:
    context = multiprocessing.get_context("fork")
    told = context.Event()
    late = context.Process(target=record_when, args=(told, "late"))
    late.start()
    with held(Path()):
        told.set()
        late.join(0.5)
        assert late.is_alive()
    late.join(30)
    assert set(read_record()["stages"]) == {"late"}


def test_the_same_record_is_the_same_bytes() -> None:
    maker("a").record([OUT])
    maker("b").record([OUT])
    first = environment.RECORD_FILE.read_bytes()
    environment.RECORD_FILE.unlink()
    maker("b").record([OUT])
    maker("a").record([OUT])
    assert environment.RECORD_FILE.read_bytes() == first


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD",
        "[]",
        "null",
        '{"environments": {}}',
        '{"environments": {}, "stages": {"a": {"environment": "x", "outs": {"out": "1"}}}}',
    ],
)
def test_a_torn_record_is_refused_with_a_remedy(text: str) -> None:
    environment.RECORD_FILE.write_text(text)
    with pytest.raises(ContractError, match=r"environment\.json: expected a record .*delete the"):
        read_record()
