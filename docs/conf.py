"""How the pages are built: ``make docs``. Output in a page comes from a run at build time."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "halfopen"
author = "The halfopen authors"
copyright = "2026, the halfopen authors"  # noqa: A001  Sphinx's name for it
release = "0.1.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "answers", "atlas", "runs"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = "halfopen"
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|os)\..*"),  # the standard library's pages are not fetched
    ("py:class", "Json"),  # recursive, and so named in signatures by its bare name
]
