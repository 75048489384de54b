"""Weights in an object store are copied by a process of its own; the worker gets the folder, or why there is none."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import read_settings
from store.errors import Damaged, NotFound
from store.records import StoredFile
from tests.unit.workers.companion_processes import companions_of
from workers.companions.downloader import RemoteWeights

KEY = "a" * 32
WEIGHTS = b"weights"
FILE = StoredFile("model.pt2", len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())


def test_weights_are_copied_verified_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOQ_WEIGHTS_URL", f"local://{tmp_path / 'bucket'}")  # a store that fsspec knows
    monkeypatch.setenv("RECOQ_DATA", str(tmp_path / "data"))
    settings = read_settings()
    (tmp_path / "bucket" / KEY).mkdir(parents=True)
    (tmp_path / "bucket" / KEY / FILE.name).write_bytes(WEIGHTS)
    with companions_of(settings) as companions:
        assert companions.downloader is not None
        weights = RemoteWeights(companions.downloader)
        folder = weights.local_folder(KEY, [FILE])
        assert folder.parent == tmp_path / "data" / "weights-cache"
        assert (folder / FILE.name).read_bytes() == WEIGHTS
        with pytest.raises(NotFound):
            weights.local_folder("0" * 32, [FILE])
        (folder / FILE.name).unlink()
        with pytest.raises(Damaged):
            weights.local_folder(KEY, [replace(FILE, sha256="0" * 64)])
