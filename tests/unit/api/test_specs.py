"""Creating, reading and editing specifications, and the pages that lists come in."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.unit.api.callers import LABELS, Caller, output

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_new_specification_is_shown_with_its_defaults(admin: Caller) -> None:
    response = admin.post("/recognition/specs", json={"name": "birds", "outputs": [output()]})
    assert response.status_code == 201
    answer = response.get_json()
    assert DATE.fullmatch(answer["create_date"])
    assert DATE.fullmatch(answer["update_date"])
    shown = {key: answer[key] for key in ("name", "description", "metadata", "outputs", "current_version_id")}
    assert shown == {
        "name": "birds",
        "description": "",
        "metadata": {},
        "outputs": [output()],
        "current_version_id": None,
    }
    assert isinstance(answer["id"], int)
    assert admin.get(f"/recognition/specs/{answer['id']}").get_json() == answer


def labels(**fields: Any) -> dict[str, Any]:
    return {"labels": {"labels": LABELS, "exclusive": True, "roi": "NONE", **fields}}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"outputs": [output()]}, "name"),
        ({"name": None, "outputs": [output()]}, "name"),
        ({"name": 5, "outputs": [output()]}, "name"),
        ({"name": "", "outputs": [output()]}, "name"),
        ({"name": "a\x00b", "outputs": [output()]}, "name"),
        ({"name": "a"}, "outputs"),
        ({"name": "a", "outputs": []}, "outputs"),
        ({"name": "a", "outputs": {}}, "outputs"),
        ({"name": "a", "outputs": [5]}, "outputs.0"),
        ({"name": "a", "outputs": [{}]}, "outputs.0.labels"),
        ({"name": "a", "outputs": [labels(labels=[])]}, "outputs.0.labels.labels"),
        ({"name": "a", "outputs": [labels(exclusive="yes")]}, "outputs.0.labels.exclusive"),
        ({"name": "a", "outputs": [labels(exclusive=1)]}, "outputs.0.labels.exclusive"),
        ({"name": "a", "outputs": [labels(roi="POLYGON")]}, "outputs.0.labels.roi"),
        ({"name": "a", "outputs": [labels(labels=[{"id": "1", "name": "x"}])]}, "outputs.0.labels.labels.0.id"),
        ({"name": "a", "outputs": [labels(labels=[{"id": True, "name": "x"}])]}, "outputs.0.labels.labels.0.id"),
        ({"name": "a", "outputs": [labels(labels=[{"id": 1.5, "name": "x"}])]}, "outputs.0.labels.labels.0.id"),
        ({"name": "a", "outputs": [labels(labels=[{"id": 2**63, "name": "x"}])]}, "outputs.0.labels.labels.0.id"),
        ({"name": "a", "outputs": [labels(labels=[{"id": 1, "name": " "}])]}, "outputs.0.labels.labels.0.name"),
        ({"name": "a", "outputs": [labels(labels=[{"id": 1}])]}, "outputs.0.labels.labels.0.name"),
        ({"name": "a", "outputs": [labels(colour="red")]}, "outputs.0.labels.colour"),
        ({"name": "a", "outputs": [output()], "metadata": []}, "metadata"),
        ({"name": "a", "outputs": [output()], "metadata": {"a": {"\x00": 1}}}, "metadata"),
        ({"name": "a", "outputs": [output()], "description": None}, "description"),
        ({"name": "a", "outputs": [output()], "id": 5}, "id"),
        ({"name": "a", "outputs": [output()], "current_version_id": 5}, "current_version_id"),
        ({"name": "a", "outputs": [output()], "no such field": 5}, "no such field"),
    ],
)
def test_wrong_fields_are_named(admin: Caller, body: dict[str, Any], path: str) -> None:
    response = admin.post("/recognition/specs", json=body)
    assert response.status_code == 400
    assert path in response.get_json()["errors"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"{", "line 1"),
        (b'{"name": "a",\n "outputs": oops}', "line 2, column 13"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": "\\ud800"}', "surrogate in name"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "deep"),
        (b'{"name": "a"} trailing', "unexpected text"),
    ],
)
def test_bad_json_is_refused_with_its_place(admin: Caller, data: bytes, words: str) -> None:
    response = admin.post("/recognition/specs", data=data, content_type="application/json")
    assert response.status_code == 400
    assert words in response.get_json()["error"]


def test_specification_may_be_sent_as_a_form(admin: Caller) -> None:
    flat = {
        "name": "True",
        "metadata": '{"a": 1}',
        "outputs[0]labels.roi": "BBOX",
        "outputs[0]labels.exclusive": "False",
        "outputs[0]labels.labels[0]id": "7",
        "outputs[0]labels.labels[0]name": "12",
    }
    for content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        answer = admin.post("/recognition/specs", data=flat, content_type=content_type).get_json()
        labels = [{"id": 7, "name": "12"}]
        assert answer["outputs"] == [{"labels": {"labels": labels, "exclusive": False, "roi": "BBOX"}}]
        assert (answer["name"], answer["metadata"]) == ("True", {"a": 1})


def test_patch_takes_a_form_as_curl_sends_it(admin: Caller) -> None:
    version = admin.version()
    second = admin.version(version["spec_id"], version["network_id"])
    response = admin.patch(
        f"/recognition/specs/{version['spec_id']}",
        data=f"name=new name&current_version_id={second['id']}",
        content_type="application/x-www-form-urlencoded",
    )
    assert response.status_code == 200
    answer = response.get_json()
    assert (answer["name"], answer["current_version_id"]) == ("new name", second["id"])


@pytest.mark.parametrize("nothing", ["", "null", "None"])
def test_form_can_unset_the_current_version(admin: Caller, nothing: str) -> None:
    version = admin.version()
    path = f"/recognition/specs/{version['spec_id']}"
    answer = admin.patch(path, data={"current_version_id": nothing}).get_json()
    assert answer["current_version_id"] is None


def test_patch_changes_what_it_names_only(admin: Caller) -> None:
    spec_id = admin.spec(description="old", metadata={"a": 1})
    before = admin.get(f"/recognition/specs/{spec_id}").get_json()
    after = admin.patch(f"/recognition/specs/{spec_id}", json={"metadata": {"b": 2}}).get_json()
    assert after.pop("update_date") > before.pop("update_date")
    assert after == {**before, "metadata": {"b": 2}}


@pytest.mark.parametrize("field", ["outputs", "id", "create_date", "update_date"])
def test_immutable_fields_are_called_so(admin: Caller, field: str) -> None:
    path = f"/recognition/specs/{admin.spec()}"
    for send in (admin.patch, admin.put):
        response = send(path, json={"name": "x", field: []})
        assert response.status_code == 400
        assert "immutable" in response.get_json()["error"]


def test_put_returns_absent_fields_to_their_defaults(admin: Caller) -> None:
    version = admin.version(admin.spec(description="old", metadata={"a": 1}))
    path = f"/recognition/specs/{version['spec_id']}"
    answer = admin.put(path, json={"name": "new"}).get_json()
    shown = (answer["name"], answer["description"], answer["metadata"], answer["current_version_id"])
    assert shown == ("new", "", {}, None)
    assert admin.put(path, json={"description": "x"}).get_json()["errors"] == {"name": ["This field is required."]}


def test_current_version_must_be_one_of_the_specification(admin: Caller, version: dict[str, Any]) -> None:
    for unknown in (version["id"], 10**9):
        response = admin.patch(f"/recognition/specs/{admin.spec()}", json={"current_version_id": unknown})
        assert response.status_code == 400
        assert list(response.get_json()["errors"]) == ["current_version_id"]


def test_deletion_removes_the_versions(admin: Caller) -> None:
    version = admin.version()
    assert admin.delete(f"/recognition/specs/{version['spec_id']}").status_code == 204
    assert admin.get(f"/recognition/versions/{version['id']}").status_code == 404
    assert admin.delete(f"/recognition/specs/{version['spec_id']}").status_code == 404


def test_public_specifications_hide_their_version_and_cannot_be_changed(admin: Caller, public_spec: str) -> None:
    path = f"/recognition/public/{public_spec}"
    answer = admin.get(path).get_json()
    assert (answer["id"], answer["outputs"]) == (public_spec, [output()])
    assert "current_version_id" not in answer
    (listed,) = admin.get("/recognition/public").get_json()["results"]
    assert not {"current_version_id", "outputs"} & set(listed)
    for method in ("PATCH", "PUT", "DELETE"):
        assert admin.send(method, path, json={"name": "x"}).status_code == 405


def test_lists_hide_outputs_and_link_their_pages(newcomer: Caller) -> None:
    ids = [newcomer.spec(name=f"spec {index}") for index in range(5)]
    path: str | None = "/recognition/specs/?public=0&x=a%26b&limit=2"
    seen: list[int] = []
    while path:
        page = newcomer.get(path.removeprefix("/v0.7")).get_json()
        assert set(page) == {"count", "next", "previous", "results"}
        assert page["count"] == 5
        assert not any("outputs" in spec for spec in page["results"])
        seen += [spec["id"] for spec in page["results"]]
        link = page["next"]
        assert link is None or link.startswith("http://localhost/v0.7/recognition/specs/?public=0&x=a%26b&")
        path = link and f"{urlsplit(link).path}?{urlsplit(link).query}"
    assert seen == ids
    assert page["previous"].endswith("offset=2&limit=2")


def test_page_past_the_end_is_empty_and_leads_back(newcomer: Caller) -> None:
    newcomer.spec()
    page = newcomer.get("/recognition/specs?offset=50&limit=10").get_json()
    assert (page["count"], page["results"], page["next"]) == (1, [], None)
    assert page["previous"].endswith("offset=40&limit=10")


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "limit=0", "limit=1001", "limit=", "offset=٣", "limit=1.5"])
@pytest.mark.parametrize("path", ["/recognition/specs", "/networks", "/recognition/versions", "/tasks"])
def test_pages_that_cannot_be_are_refused(admin: Caller, path: str, query: str) -> None:
    response = admin.get(f"{path}?{query}")
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


def test_offset_may_be_very_large(admin: Caller) -> None:
    assert admin.get(f"/recognition/specs?offset={2**62}").get_json()["results"] == []
    assert admin.get(f"/recognition/specs?offset={2**64}").status_code == 400
