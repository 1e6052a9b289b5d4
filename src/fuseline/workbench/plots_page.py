"""A page for `dvc plots` that needs no network.

DVC's own page loads Vega from a content delivery network. This one carries it: the page is one
file, about 0.9 MB, that can be opened, sent and stored as it is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fuseline.contracts.durable import write_text
from fuseline.errors import ConfigError

TEMPLATE = Path(".dvc/plots.html")

# DVC puts the charts, and scripts that draw them, in the place of {plot_divs}.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
<style>
body { font-family: sans-serif; margin: 1.5rem; }
body > div { display: inline-block; vertical-align: top; margin: 0 2rem 2rem 0; }
</style>
<script>(function () {
%s
})();</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def write_plots_page(root: Path) -> Path:
    """Write DVC's template for its plots page, and tell DVC of it in the clone's own settings.

    The settings are the clone's own (`.dvc/config.local`): in a clone without the template, DVC
    goes on with its page that needs the network.

    Args:
        root: of the repository.

    Returns:
        The template's path, from the root.

    Raises:
        ConfigError: the folder is not the root of a DVC repository.
    """
    from vl_convert import javascript_bundle

    if not (root / ".dvc").is_dir():
        raise ConfigError(f"{root}: no folder .dvc here. Run this from the root of the repository.")
    # A closing tag within a script's text would end the script.
    script = javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script")
    write_text(root / TEMPLATE, PAGE.replace("%s", script))
    setting = ["config", "--local", "plots.html_template", TEMPLATE.name]
    subprocess.run([sys.executable, "-m", "dvc", *setting], cwd=root, check=True)
    return TEMPLATE
