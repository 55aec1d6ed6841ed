"""How the pages become a site: `make docs` (Sphinx with MyST, in the dress of Furo).

The source is the whole repository: a page lies where its subject does (a vendor's with its code, the chart's
with the chart), its links are those that a code host follows, too, and no page knows of the site. So the
contents are here; a page that is missing in them fails the build.
"""

from sphinx.application import Sphinx

from connector import __version__
from connector.vendors import DESTINATIONS

project = "commerce-connector"
version = release = __version__
root_doc = "docs/index"
CONTENTS = {
    "Begin": ["/README", "quickstart", "concepts", "guarantees"],
    "Destinations": sorted(
        {f"/{kind.__module__.replace('.', '/')}/README" for kind in DESTINATIONS.values()}
    ),
    "Operate": [
        *["migrating", "helm", "image", "sizing", "security", "upgrading"],
        *["status-page", "dashboards", "runbooks", "dead-letters"],
    ],
    "Look up": [
        *["configuration", "cli", "events", "reasons", "metrics", "benchmarks"],
        *["/helm/commerce-connector/README", "/CHANGELOG"],
    ],
    "Develop": ["/DESIGN", "add-a-destination", "release"],
}

# What follows are Sphinx's own names (https://www.sphinx-doc.org/en/master/usage/configuration.html).
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "connector/vendors/*/README.md", "helm/*/README.md"]
exclude_patterns = [".*", "build", "dist", "tests", "bench"]
myst_heading_anchors = 3
nitpicky = True  # a link that leads nowhere is a warning, and `-W` makes it an error

html_theme = "furo"
html_title = f"{project} {version}"
html_show_sphinx = html_show_copyright = html_copy_source = False
pygments_dark_style = "github-dark"


def with_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put the contents under the entrance page."""
    if name == root_doc:
        for caption, pages in CONTENTS.items():
            listed = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", with_contents)
