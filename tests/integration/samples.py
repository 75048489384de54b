"""Runs a code sample against a service as its reader would, and returns what the service answered.

A shell sample runs in bash with the real curl, a Python sample with the public client. Neither is changed but for the
hosts in it: where a sample keeps its answers to itself, curl is told in ``.curlrc`` to report them, and the client's
HTTP library is listened to.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

API_HOST = "https://api.deepomatic.com"
IMAGE_HOST = "https://static.deepomatic.com"
# The document has two samples of an older version of the public client, in which the class had another path.
OLD_CLASS, NEW_CLASS = "deepomatic.Client(", "deepomatic.api.client.Client("

REPORT = "%{stderr}%{http_code} %{method} %{size_download} %{url_effective}\\n"
CURLRC = f'silent\nshow-error\nwrite-out = "{REPORT}"\n'
SAMPLE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What the API answered to one request of a sample; the body is JSON, or None if there is none."""

    status: int
    method: str
    path: str
    body: Any


@dataclass(frozen=True)
class SampleRunner:
    """Where samples run: the URLs that stand for their hosts, a key, and a folder for curl's settings."""

    api: str
    images: str
    key: str
    folder: Path

    def curl(self, code: str) -> list[Answer]:
        """Run a shell sample, which must end without an error, and return the API's answers in order."""
        (self.folder / ".curlrc").write_text(CURLRC)
        script = code.replace(API_HOST, self.api).replace(IMAGE_HOST, self.images)
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "DEEPOMATIC_API_KEY": self.key, "CURL_HOME": str(self.folder)},
            capture_output=True,
            timeout=SAMPLE_SECONDS,
            check=True,
        )
        return list(self._reported(ended.stdout, ended.stderr.decode().splitlines()))

    def _reported(self, output: bytes, reports: list[str]) -> list[Answer]:
        answers = []
        for report in reports:
            status, method, size, url = report.split(" ", 3)
            if url.startswith(self.api):
                body, output = output[: int(size)], output[int(size) :]
                answers.append(Answer(int(status), method, url.removeprefix(self.api), json.loads(body or "null")))
        assert not output, "The sample wrote more than the API's answers."
        return answers

    def python(self, code: str, monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
        """Run a Python sample, which must not raise, and return the API's answers but for those about tasks."""
        heard: list[Answer] = []
        send = requests.Session.send

        def listening_send(session: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
            response = send(session, request, **kwargs)
            path = response.url.removeprefix(self.api)
            if not path.startswith("/v0.7/tasks"):
                body = response.json() if response.content else None
                heard.append(Answer(response.status_code, request.method, path, body))
            return response

        with monkeypatch.context() as patch:
            patch.setenv("DEEPOMATIC_API_KEY", self.key)
            patch.setenv("DEEPOMATIC_API_URL", self.api)
            patch.setattr(requests.Session, "send", listening_send)
            source = code.replace(OLD_CLASS, NEW_CLASS).replace(IMAGE_HOST, self.images)
            exec(compile(source, "sample.py", "exec"), {"__name__": "__main__"})
        return heard
