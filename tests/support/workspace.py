"""A copy of the repository with small params, in which tests run the real `dvc`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dvc.dependency import param
from dvc.repo import Repo
from fsspec.implementations.memory import MemoryFileSystem
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from fuseline.contracts import hash_path, write_json
from fuseline.params.whole import set_keys
from fuseline.pipeline.provenance import stage_hashes
from tests.support.repository import copy_tracked

OBSERVER = Path(__file__).parent / "observer"
GIT_IDENTITY = {
    f"GIT_{who}_{what}": f"tester{'@example.org' if what == 'EMAIL' else ''}"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
# What a run writes at the root; its folders are removed below.
RESULTS = ("dvc.lock", "code.json", "environment.json")
MODALITIES = ["text", "image", "audio", "video", "tabular"]
SMALL_PARAMS = {
    "base.modalities": MODALITIES,
    "base.num_threads": 1,
    "base.precision": "fp32",
    "ingest.source": "synthetic",
    "ingest.synthetic.modalities": MODALITIES,
    "ingest.synthetic.num_rows": 120,
    "ingest.shard_rows": 64,
    "tokenize.encoder": "scratch",
    "tokenize.max_length_tokens": 16,
    "tokenize.scratch.vocab_size": 128,
    "tokenize.scratch.hidden_size": 16,
    "tokenize.scratch.num_layers": 1,
    "extract_features.image.encoder": "patches",
    "extract_features.image.image_size": 16,
    "extract_features.image.grid": 2,
    "extract_features.audio.num_mels": 8,
    "extract_features.audio.positions": 4,
    "extract_features.video.encoder": "patches",
    "extract_features.video.image_size": 16,
    "extract_features.video.num_frames": 2,
    "pretrain.model.hidden_size": 32,
    "pretrain.model.contrastive_size": 16,
    "pretrain.model.fusion.num_layers": 1,
    "pretrain.model.fusion.num_heads": 2,
    "pretrain.training.num_epochs": 1,
    "prompt.shots": [0, 2],
    "prompt.num_seeds": 1,
    "prompt.training.num_steps": 2,
    "prompt.soft_prompt.num_steps": 2,
    "prompt.residual.num_steps": 2,
    "finetune.generation.num_layers": 1,
    "finetune.generation.num_heads": 2,
    "finetune.training.num_epochs": 1,
    "adversarial_finetune.training.num_epochs": 1,
    "adversarial_finetune.attack.num_steps": 1,
    "evaluate.generation.num_beams": 2,
    "evaluate.robustness.attack.num_steps": 2,
    "evaluate.robustness.num_restarts": 1,
    "evaluate.robustness.curve_restarts": 1,
    "evaluate.robustness.scales": [1.0, 16.0],
    "evaluate.trust.num_resamples": 40,
    "evaluate.trust.min_slice_rows": 5,
    "stress.out_of_distribution.max_rows": 8,
    "stress.text.noises": ["insert", "synonyms"],
    "stress.transfer.attack.num_steps": 1,
    "evaluate.robustness.audit.max_rows": 4,
    "evaluate.robustness.audit.black_box_queries": 2,
    "evaluate.robustness.image_pixel.max_rows": 4,
    "evaluate.robustness.image_pixel.attack.num_steps": 1,
    "report.num_examples": 4,
}


@dataclass(frozen=True)
class Workspace:
    """A repository of its own, cut off from the user's settings of git and DVC."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Copy what git tracks or would track, with small params, into a new git repository."""
        copy_tracked(root, without=RESULTS)
        workspace = cls(root)
        for folder in ("metrics", "reports", "docs"):
            shutil.rmtree(root / folder, ignore_errors=True)
        workspace.set_params(SMALL_PARAMS)
        subprocess.run(["git", "init", "--quiet"], cwd=root, check=True, env=workspace.environment)
        return workspace

    def copy(self, root: Path) -> Workspace:
        """The same files, cache and lock file included, at another place."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("tmp", "observations"))
        return Workspace(root)

    @property
    def observations(self) -> Path:
        return self.root / ".observations"

    @property
    def environment(self) -> dict[str, str]:
        """The environment's Python first on PATH; DVC and git see no settings but their own."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DVC_", "GIT_", "PYTEST_"))
        }
        private = self.root.parent / f"{self.root.name}-dvc"
        paths = [str(OBSERVER), *filter(None, [inherited.get("PYTHONPATH")])]
        return inherited | {
            **GIT_IDENTITY,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "DVC_SITE_CACHE_DIR": str(private / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(private / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(private / "system"),
            "DVC_NO_ANALYTICS": "1",
        }

    def set_params(self, values: dict[str, Any]) -> None:
        """Give keys of `params.yaml` new values; each key must be there already."""
        yaml = YAML()
        path = self.root / "params.yaml"
        content = yaml.load(path)
        set_keys(content, {key: _in_one_line(value) for key, value in values.items()})
        yaml.dump(content, path)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command at the root, with its output as text."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command at the root in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def repro(self, *arguments: str, **environment: str) -> list[str]:
        """Run `dvc repro`; return the stages that ran, or would run with `--dry`, in order."""
        result = self.run("dvc", "repro", *arguments, **environment)
        assert result.returncode == 0, result.stdout
        return re.findall(r"^Running stage '([^']+)':", result.stdout, re.MULTILINE)

    def would_run(self) -> set[str]:
        """The stages that `dvc repro` would run now, of first order.

        DVC is asked in this process: starting it takes longer than its answer. What stages once
        wrote from the same inputs has no part in that, and takes it a while to find.
        """
        with (
            patch.dict(os.environ, self.environment, clear=True),
            chdir(self.root),
            _brief_dvc(),
            Repo() as repo,
        ):
            return {stage.name for stage in repo.reproduce(dry=True, run_cache=False)}

    def hash_code(self) -> None:
        """Do what the stage `code` does, in this process."""
        hashes = stage_hashes(self.root / "src", self.root / "stages")
        write_json(self.root / "code.json", hashes)

    @property
    def lock(self) -> str:
        return (self.root / "dvc.lock").read_text()

    def hashes(self, paths: list[str]) -> dict[str, str]:
        """Hash of each file or folder."""
        return {path: hash_path(self.root / path) for path in paths}


@contextmanager
def _brief_dvc() -> Iterator[None]:
    """Let DVC read a file of params once, not once a stage; and forget within a process, as at its
    end, the trees that it has hashed, through all of which it looks for each of the next."""
    read, known = param.load_path, dict[tuple[str, bytes], Any]()

    def load(path: str, *args: Any, **kwargs: Any) -> Any:
        key = path, Path(path).read_bytes()
        if key not in known:
            known[key] = read(path, *args, **kwargs)
        return known[key]

    with patch.object(param, "load_path", load):
        try:
            yield
        finally:
            MemoryFileSystem.store.clear()


def _in_one_line(value: Any) -> Any:
    """A list that is written in brackets: the comment of its key then stays on its line."""
    if not isinstance(value, list):
        return value
    flow = CommentedSeq(value)
    flow.fa.set_flow_style()
    return flow


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a process that was started here, and all that it started, at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.communicate()
