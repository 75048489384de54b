"""A hook of MkDocs: puts the decisions into the navigation, so that a new one need not be listed by hand."""

from pathlib import Path
from typing import Any

TITLE = "Decisions"


def on_config(config: Any) -> Any:
    """Fill the section of decisions with the files that there are."""
    folder = Path(config["docs_dir"])
    pages = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("decisions/[0-9]*.md"))]
    for section in config["nav"]:
        for entry in section.get("Explanation", []) if isinstance(section, dict) else []:
            if isinstance(entry, dict) and TITLE in entry:
                entry[TITLE] += pages
    return config
