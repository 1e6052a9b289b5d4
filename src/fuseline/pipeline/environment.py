"""What of this machine can change the last bits of a result, and who made which result.

Every stage's fingerprint holds the environment, so that no checkpoint goes on under other packages
or on another processor. The environment that made a result stands in `environment.json`, which git
tracks and DVC does not know: as a dependency it would re-run everything on every other machine, as
an output it would change hashes that are otherwise equal. It stands at the root because
`dvc exp run` commits changes of tracked files from a temporary copy too, so each experiment carries
its own record, and `git show REV:environment.json` reads that of any revision.

A stage that DVC restores from its run cache does not run and writes no entry. So each entry holds
the hashes of the outputs that it speaks of: where they are not those in the workspace, the maker
is unknown (`made_by`).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from fuseline.contracts import hash_path, write_json
from fuseline.errors import ContractError
from fuseline.pipeline.locks import held
from fuseline.pipeline.machine import available_cores

RECORD_FILE = Path("environment.json")
# Of the package's own extras, those whose packages the pipeline runs on.
EXTRAS = ("", "predict", "train")

# Instruction sets that mathematical libraries choose kernels by, as Linux spells them.
_FEATURE = re.compile(r"sse4|avx|amx|fma|f16c|asimd|sve|sme(?!p)|bf16|i8mm|fphp")

# Variables by which a user makes those libraries choose other kernels.
_SETTINGS = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE"),
    *("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "OMP_DYNAMIC", "OMP_THREAD_LIMIT"),
)


@dataclass(frozen=True)
class Maker:
    """What makes the outputs of one run of a stage.

    Attributes:
        stage: DVC's name of it, matrix cell included.
        environment: as `current` gives it.
        precision: number format of its matrix products; empty for a stage that has no such choice.
    """

    stage: str
    environment: dict[str, Any]
    precision: str

    @classmethod
    def of_stage(cls, stage: str, content: Mapping[str, Any], params: list[str]) -> Maker:
        """Look around before a stage works, and say where it lacks cores.

        Args:
            stage: DVC's name of it, matrix cell included.
            content: of `params.yaml`.
            params: sections, or leaf keys such as `base.precision`, that the stage reads.

        Raises:
            ContractError: the record here is not readable; better now than after the work.
        """
        read_record()
        if {"base", "base.num_threads"} & set(params):
            lack = lack_of_cores(content["base"]["num_threads"])
            if lack:
                print(f"{stage}: {lack}.", file=sys.stderr)
        chosen = {"base", "base.precision"} & set(params)
        precision = precision_used(content["base"]["precision"]) if chosen else ""
        return cls(stage, current(), precision)

    def record(self, outputs: list[Path]) -> None:
        """Note in the record who made these outputs, once they are in place."""
        identity = environment_id(self.environment)
        entry: dict[str, Any] = {
            "environment": identity,
            "outs": {path.as_posix(): _short(hash_path(path)) for path in outputs},
        }
        if self.precision:
            entry["precision"] = self.precision
        # Two stages that end at once both stand in it.
        with held(RECORD_FILE.parent):
            content = read_record()
            stages = content["stages"] | {self.stage: entry}
            known = content["environments"] | {identity: self.environment}
            used = {item["environment"] for item in stages.values()}
            write_json(
                RECORD_FILE,
                {"environments": {name: known[name] for name in used}, "stages": stages},
            )


def current() -> dict[str, Any]:
    """The environment of this process: no clock, no host, no path.

    The processor's model counts beside its instruction sets, since libraries also choose block
    sizes by the size of its caches.
    """
    return {
        "python": platform.python_version(),
        "system": " ".join([platform.system(), *platform.libc_ver()]).strip(),
        **processor(),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
        "packages": package_versions(),
    }


def processor() -> dict[str, Any]:
    """Architecture and model of the processor, and its instruction sets, sorted."""
    facts = _cpuinfo()
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return {
        "architecture": platform.machine(),
        "processor": facts.get("model name", ""),
        "features": sorted({flag for flag in flags if _FEATURE.match(flag)}),
    }


def package_versions() -> dict[str, str]:
    """Version, build label included, of every package that the pipeline needs and that is there."""
    found = {}
    for name in needed_packages():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def needed_packages() -> list[str]:
    """Names of the packages that the pipeline needs, with those that answering needs, sorted."""
    every = [Requirement(text) for text in metadata.requires("fuseline") or []]
    names = {
        one.name
        for one in every
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in EXTRAS)
    }
    return sorted(names - {"fuseline"}, key=str.lower)


def multiplies_bf16() -> bool:
    """Whether this processor multiplies faster in bfloat16 than in float32, in the kernels that
    torch has for it.

    It does with tiles (AMX), and with AMD's vectors. Intel's vector instruction for it has half the
    rate of its float32 one: where a virtual machine hides the tiles, bfloat16 takes twice as long
    (docs/experiments/speed.md).
    """
    facts = _cpuinfo()
    flags = facts.get("flags", "").split()
    vectors = "avx512_bf16" in flags and facts.get("vendor_id") != "GenuineIntel"
    return vectors or "amx_bf16" in flags


def precision_used(precision: str) -> str:
    """What `base.precision` comes to here: `bf16` or `fp32`."""
    if precision == "auto":
        return "bf16" if multiplies_bf16() else "fp32"
    return precision


def lack_of_cores(num_threads: int) -> str:
    """A sentence where there are fewer cores than `base.num_threads`; else empty."""
    cores = available_cores()
    if cores >= num_threads:
        return ""
    return (
        f"{cores:.3g} {'core' if cores == 1 else 'cores'} for base.num_threads = {num_threads}:"
        " slower, but the same results, since the number of threads stays as set"
    )


def read_record(root: Path = Path()) -> dict[str, Any]:
    """The record of the repository at `root`; an empty one where it has none.

    Raises:
        ContractError: it is no such record, as after a merge with conflicts.
    """
    path = root / RECORD_FILE
    if not path.exists():
        return {"environments": {}, "stages": {}}
    return parse_record(path.read_text(encoding="utf-8"), str(path))


def parse_record(text: str, where: str) -> dict[str, Any]:
    """The record that a text holds; raises as `read_record` does, with `where` it is from."""
    try:
        content = json.loads(text)
        known, stages = content["environments"], content["stages"]
        complete = all(item["environment"] in known and item["outs"] for item in stages.values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContractError(_unreadable(where, f"{type(error).__name__}: {error}")) from None
    if not complete:
        raise ContractError(_unreadable(where, "a stage of an environment that is not listed"))
    return content  # type: ignore[no-any-return]


def made_by(root: Path, stage: str) -> dict[str, Any] | None:
    """Environment that made a stage's outputs as they stand at `root`, with `precision`.

    None where the record does not know: DVC restored them from a cache, or they were changed.
    """
    content = read_record(root)
    recorded = content["stages"].get(stage, {}).get("outs", {})
    for path, sha256 in recorded.items():
        if not (root / path).exists() or _short(hash_path(root / path)) != sha256:
            return None
    return environment_of(content, stage)


def environment_of(content: Mapping[str, Any], stage: str) -> dict[str, Any] | None:
    """Environment that a record names for a stage, with `precision`, whatever stands here."""
    entry = content["stages"].get(stage)
    if entry is None:
        return None
    return {**content["environments"][entry["environment"]], "precision": entry.get("precision")}


def environment_id(environment: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for an environment."""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:12]


def _short(sha256: str) -> str:
    return sha256[:16]


def _unreadable(where: str, found: str) -> str:
    return (
        f"{where}: expected a record of environments, found {found}."
        " Settle the merge if there was one, or delete the file: the next run writes it anew."
    )


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the last core; nothing on other systems."""
    listed = Path("/proc/cpuinfo")
    if not listed.is_file():
        return {}
    lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
