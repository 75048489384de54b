"""What ``recoq up`` says when it is open: lines that a shell can run as they are, without the key in them."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cli.first_steps import base_url, example_image, key_file, welcome
from config.settings import Settings, read_settings

KEY = "rq_of-the-first-account"
FAKE_CURL = """#!/bin/sh
printf '%s\\n' "$@" >> "$SENT"
echo '{"task_id": "5"}'
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a service whose data folder has a name that shells take apart."""
    settings = replace(read_settings(), data_folder=tmp_path / "my data's $folder")
    settings.data_folder.mkdir()
    key_file(settings).write_text(f"{KEY}\n")
    return settings


@pytest.mark.parametrize("key", [KEY, None])
def test_lines_to_try_it_read_the_key_from_its_file(settings: Settings, tmp_path: Path, key: str | None) -> None:
    curl, sent = tmp_path / "curl", tmp_path / "sent"
    curl.write_text(FAKE_CURL)
    curl.chmod(0o755)
    lines = welcome(settings, key).split("Try it:")[1].split("Ctrl-C")[0]
    assert KEY not in lines
    subprocess.run(
        ["sh", "-euc", lines],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SENT": str(sent)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    arguments = sent.read_text().splitlines()
    assert arguments.count(f"X-API-KEY: {KEY}") == 2
    assert f"inputs[0]image.source=@{example_image()}" in arguments
    assert f"{base_url(settings)}/v0.7/tasks/5" in arguments


def test_key_is_shown_only_if_it_may_be(settings: Settings) -> None:
    assert f"API key   {KEY}\n" in welcome(settings, KEY)
    assert f"API key   in {key_file(settings)}\n" in welcome(settings, None)
