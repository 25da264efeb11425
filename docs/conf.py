"""Sphinx configuration. The build reads nothing from the network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate
from sphinx.application import Sphinx

import tasks_aws

generate.main()

project = "tasks-aws"
author = "the authors of tasks-aws"
release = version = tasks_aws.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["upstream"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"tasks-aws {release}"
smartquotes = False  # `--option` stays as it is typed
html_show_copyright = False
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_mock_imports = ["pytest"]  # of the plugin
napoleon_numpy_docstring = False
nitpicky = True
# Types of other projects: their inventories would have to be fetched.
nitpick_ignore_regex = [("py:.*", r"(boto3|botocore|collections|datetime|invoke)\..*|Context")]


def setup(app: Sphinx) -> None:
    """Let links lead to the pages of the project: in the sources they work on GitHub, too."""
    app.connect("source-read", _adapt_links)


def _adapt_links(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = generate.with_project_links(source[0])
