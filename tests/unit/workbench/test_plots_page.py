"""The page of `dvc plots` that carries what draws it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.errors import ConfigError
from fuseline.workbench.plots_page import TEMPLATE, write_plots_page


def configured(root: Path) -> str:
    command = [sys.executable, "-m", "dvc", "config", "plots.html_template"]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_the_page_loads_nothing_and_dvc_knows_it(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True
    )
    assert write_plots_page(tmp_path) == TEMPLATE
    page = (tmp_path / TEMPLATE).read_text(encoding="utf-8")
    assert "vegaEmbed" in page
    assert page.count("{plot_divs}") == 1
    assert "{scripts}" not in page
    around = re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"src|href|http", around) == []
    assert page.count("<script>") == page.count("</script>") == 1
    assert configured(tmp_path).strip() == TEMPLATE.name
    assert "html_template" in (tmp_path / ".dvc/config.local").read_text()


def test_elsewhere_than_at_the_root_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"no folder \.dvc here"):
        write_plots_page(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["plots-page"])
    assert result.exit_code == 2
    assert "plots-page: .: no folder .dvc here. Run this from the root" in result.output
