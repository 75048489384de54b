"""Every answer tells browsers how little may be done with it: pages, JSON, errors, files."""

import pytest
from flask import Flask

from api.app import SECURITY_HEADERS

ANYWHERE = ["/v0.7/docs", "/v0.7/docs/swagger-ui.css", "/v0.7/openapi.json", "/v0.7/tasks/1", "/healthz", "/nowhere"]


@pytest.mark.parametrize("path", ANYWHERE)
def test_every_answer_has_the_security_headers(app: Flask, path: str) -> None:
    with app.test_client().get(path) as response:
        assert set(SECURITY_HEADERS) <= set(response.headers.keys())
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


def test_every_page_allows_scripts_of_its_own_only(app: Flask) -> None:
    client = app.test_client()
    rules = [rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in (rule.methods or ())]
    pages = 0
    for rule in rules:
        with client.get(rule.rule) as response:
            if response.mimetype == "text/html":
                pages += 1
                policy = response.headers["Content-Security-Policy"]
                scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
                assert "unsafe" not in scripts
                assert "*" not in scripts
                assert "http" not in scripts
    assert pages >= 2
