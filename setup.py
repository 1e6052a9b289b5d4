"""Puts the pipeline and the recipes at the root into the wheel; all else is in pyproject.toml."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PROJECT = "fuseline/workbench/project"
FILES = runpy.run_path(f"src/{PROJECT}/files.py")


class BuildWithPipeline(build_py):
    """Builds the package with what `new` and `init` copy; an editable one reads it at the root."""

    def run(self) -> None:
        """Build, then put every file in its place, and none of an earlier build."""
        super().run()
        shutil.rmtree(self._carried(), ignore_errors=True)
        for built, source in self._copies().items():
            self.mkpath(str(Path(built).parent))
            self.copy_file(source, built, preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What is built, for the record of installed files."""
        return [*super().get_outputs(include_bytecode), *self._copies()]

    def get_output_mapping(self) -> dict[str, str]:
        """What is built, to what it is built from."""
        return super().get_output_mapping() | self._copies()

    def get_source_files(self) -> list[str]:
        """What it is built from, for the source distribution."""
        return [*super().get_source_files(), *map(str, self._carried_files())]

    def _copies(self) -> dict[str, str]:
        if self.editable_mode:
            return {}
        return {str(self._carried() / path): str(path) for path in self._carried_files()}

    def _carried_files(self) -> list[Path]:
        return [*FILES["files_of"](Path()), *FILES["recipes_of"](Path())]

    def _carried(self) -> Path:
        return Path(self.build_lib, PROJECT, FILES["CARRIED"])


setup(cmdclass={"build_py": BuildWithPipeline})
