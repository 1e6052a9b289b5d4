"""Repositories with made metrics and made predictions in a DVC cache."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from tests.support.workspace import GIT_IDENTITY

CLASSES = ["cat", "dog", "emu"]
ROWS = 120


@dataclass(frozen=True)
class Made:
    """What one model predicted of made test rows.

    Attributes:
        wrong: numbers of the rows that it gets wrong.
        rows: N.
        first_id: number in the first row's id.
    """

    wrong: frozenset[int] = frozenset()
    rows: int = ROWS
    first_id: int = 0

    @property
    def labels(self) -> np.ndarray:
        return np.arange(self.rows) % len(CLASSES)

    @property
    def predictions(self) -> np.ndarray:
        moved = np.array([row in self.wrong for row in range(self.rows)])
        return (self.labels + moved) % len(CLASSES)

    @property
    def accuracy(self) -> float:
        return 1 - len(self.wrong) / self.rows

    @property
    def standing(self) -> int:
        return (self.rows - len(self.wrong)) // 2

    def metrics(self) -> dict[str, Any]:
        f1 = []
        for index in range(len(CLASSES)):
            named = (self.labels == index).sum() + (self.predictions == index).sum()
            hits = ((self.labels == index) & (self.predictions == index)).sum()
            f1 += [2 * hits / named] if named else []
        accuracy, macro_f1 = self.accuracy, float(np.mean(f1))
        return {
            "task": "classification",
            "labels": CLASSES,
            "rows": self.rows,
            "accuracy": round(accuracy, 6),
            "macro_f1": round(macro_f1, 6),
            "robust_accuracy": round(self.standing / self.rows, 6),
            "ece": round(len(self.wrong) / self.rows, 6),
            "intervals": {
                "accuracy": {"low": accuracy - 0.05, "high": accuracy + 0.05},
                "ece": {"low": 0.95 - accuracy, "high": 1.05 - accuracy},
            },
            "twin": {"accuracy": 0.8, "macro_f1": 0.8},
        }

    def table(self) -> bytes:
        columns = {
            "example_id": [f"row-{self.first_id + row:04d}" for row in range(self.rows)],
            "label": [CLASSES[label] for label in self.labels],
            "prediction": [CLASSES[label] for label in self.predictions],
        }
        file = io.BytesIO()
        # In an order of its own: rows are paired by id, not by place.
        order = np.random.default_rng(len(self.wrong)).permutation(self.rows)
        pq.write_table(pa.table(columns).take(order), file)
        return file.getvalue()


@dataclass(frozen=True)
class Repository:
    """A git repository with a DVC cache, and as much of Fuseline's as `compare` reads."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Repository:
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (root / ".gitignore").write_text("/.dvc/cache\n/.dvc/tmp\n")
        repository = cls(root)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | GIT_IDENTITY,
        ).stdout.strip()

    def write(
        self, models: dict[str, Made], *, cached: bool = True, evaluated: bool = True
    ) -> None:
        """The files of a run; without `evaluated` as they are when the last stage did not run."""
        stages: dict[str, Any] = {}
        for name, made in models.items():
            self._write_json(f"metrics/evaluate/{name}.json", made.metrics())
            trained = hashlib.md5(repr(made).encode()).hexdigest()
            read = trained if evaluated else "0" * 32
            stages[f"train@{name}"] = {
                "cmd": "train",
                "outs": [{"path": f"models/{name}", "md5": trained}],
            }
            stages[f"evaluate@{name}"] = {
                "cmd": "evaluate",
                "deps": [{"path": f"models/{name}", "md5": read}],
                "outs": [
                    {"path": f"data/predictions/{name}", "md5": self._cache(made, cached)},
                    {"path": f"metrics/evaluate/{name}.json", "md5": self._metrics_hash(name)},
                ],
            }
        YAML().dump({"schema": "2.0", "stages": stages}, self.root / "dvc.lock")

    def rewrite(self, name: str, metrics: Any) -> None:
        """Other metrics of a model, as if its stage had written them."""
        before = self._metrics_hash(name)
        self._write_json(f"metrics/evaluate/{name}.json", metrics)
        lock = self.root / "dvc.lock"
        lock.write_text(lock.read_text().replace(before, self._metrics_hash(name)))

    def commit(self, tag: str, models: dict[str, Made], **how: bool) -> str:
        self.write(models, **how)
        return self.tag(tag)

    def tag(self, tag: str) -> str:
        """Commit all as it is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", tag)
        self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def experiment(self, name: str, models: dict[str, Made], *, baseline: str) -> None:
        """As DVC keeps experiments: a commit that only a ref below refs/exps names."""
        self.git("checkout", "--quiet", "--detach", baseline)
        self.write(models)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", name)
        sha = self.git("rev-parse", baseline)
        self.git("update-ref", f"refs/exps/{sha[:2]}/{sha[2:]}/{name}", "HEAD")
        self.git("checkout", "--quiet", "main")

    def _cache(self, made: Made, cached: bool) -> str:
        table = made.table()
        shard = hashlib.md5(table).hexdigest()
        listing = json.dumps([{"md5": shard, "relpath": "00000.parquet"}]).encode()
        folder = f"{hashlib.md5(listing).hexdigest()}.dir"
        if cached:
            for digest, content in ((shard, table), (folder, listing)):
                path = self.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return folder

    def _metrics_hash(self, name: str) -> str:
        content = (self.root / f"metrics/evaluate/{name}.json").read_bytes()
        return hashlib.md5(content).hexdigest()

    def _write_json(self, name: str, content: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
