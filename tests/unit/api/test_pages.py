"""The files of the pages: they are packaged, refer to files that exist, and need nothing that the policy forbids."""

import configparser
import re
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api.routes.pages import FOLDER

ROOT = Path(__file__).parents[3]
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
DOCUMENTS = sorted(FOLDER.glob("*.html"))
MODULES = sorted(FOLDER.rglob("*.js"))
IMPORT = re.compile(r"""^import .*?["'](\.[^"']+)["'];""", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(r"""\b(?:href|src)="([^"#]+)\"""")


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def sent(app: Flask, path: str, **headers: str) -> TestResponse:
    """Return the answer, with its file closed again."""
    with app.test_client().get(path, headers=headers) as response:
        response.get_data()
        return response


def test_every_file_is_installed_with_the_package() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    patterns = [pattern.strip() for pattern in parser["options.package_data"]["api"].split(",")]
    packaged = {path for pattern in patterns for path in FOLDER.parent.glob(pattern)}
    assert FILES
    assert set(FILES) <= packaged


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_every_import_leads_to_a_module(module: Path) -> None:
    for target in IMPORT.findall(module.read_text()):
        assert (module.parent / target).is_file(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_reference_of_a_document_is_served(document: Path, app: Flask) -> None:
    references = REFERENCE.findall(document.read_text())
    assert references
    for reference in references:
        address = f"/pages/{reference}" if document.name == "remote-image.html" else f"/{reference}"
        assert sent(app, address).status_code == 200, reference


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_documents_have_neither_scripts_nor_styles_of_their_own(document: Path) -> None:
    text = document.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:", text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


def test_pages_are_asked_for_again_each_time_and_answered_without_a_body(app: Flask) -> None:
    first = sent(app, "/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = sent(app, "/", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/pages/../app.py", "/pages/%2e%2e/app.py", "/pages/", "/pages/js", "/ops/"])
def test_nothing_else_is_served(path: str, app: Flask) -> None:
    assert sent(app, path).status_code == 404


def test_the_frame_for_images_of_others_is_sandboxed(app: Flask) -> None:
    policy = sent(app, "/pages/remote-image.html").headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
