"""The OpenAPI document and the page that shows it."""

import re
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    answer: dict[str, Any] = app.test_client().get("/v0.7/openapi.json").get_json()
    return answer


def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_document_has_every_endpoint(app: Flask, document: dict[str, Any]) -> None:
    documented = {
        (path, method)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v0.7") and not rule.endpoint.startswith("docs.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert documented == served


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operation for path in document["paths"].values() for name, operation in path.items() if name != "parameters"
    ]


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert operation["summary"]
        assert {"401", "403", "503"} <= set(operation["responses"])
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_body_has_its_three_forms(document: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]["content"] for operation in operations(document) if "requestBody" in operation]
    assert len(bodies) == 17
    for content in bodies:
        assert set(content) == {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}


def resolved(document: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    reference = response.get("$ref")
    found: dict[str, Any] = document["components"]["responses"][reference.rpartition("/")[2]] if reference else response
    return found


def assert_valid(document: dict[str, Any], schema: dict[str, Any], example: Any) -> None:
    Draft202012Validator({"components": document["components"], **schema}).validate(example)


def test_every_operation_names_all_statuses_and_leaves_none_to_a_default(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert {"401", "403", "414", "429", "431", "503"} <= set(operation["responses"])
        assert all(status.isdecimal() for status in operation["responses"])
        if "requestBody" in operation:
            assert {"400", "408", "413", "415", "507"} <= set(operation["responses"])


def test_every_answer_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            content = resolved(document, response).get("content", {}).get("application/json")
            if content is None:
                assert status == "204"
            elif operation["operationId"] != "retrieve_operations" or status != "200":
                schema = content["schema"]
                name = schema["$ref"].rpartition("/")[2]
                example = content.get("example", document["components"]["schemas"][name].get("example"))
                fields = document["components"]["schemas"][name]["properties"].values()
                assert example is not None or all("example" in field for field in fields), (operation, status)
                if example is not None:
                    assert_valid(document, schema, example)


def test_every_json_body_has_examples_that_are_valid(document: dict[str, Any]) -> None:
    for operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None and operation["operationId"] != "create_a_network":
            assert content["examples"]
            for example in content["examples"].values():
                assert_valid(document, content["schema"], example["value"])


def test_errors_tell_their_headers(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    assert "Retry-After" in responses["TOO_MANY_REQUESTS"]["headers"]
    assert "Retry-After" in responses["SERVICE_UNAVAILABLE"]["headers"]
    assert "WWW-Authenticate" in responses["UNAUTHORIZED"]["headers"]


def test_key_is_the_only_way_in(document: dict[str, Any]) -> None:
    assert document["security"] == [{"apiKey": []}]
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-KEY"


@pytest.mark.parametrize("path", ["/v0.7/docs", "/v0.7/docs/"])
def test_page_loads_nothing_from_elsewhere(app: Flask, path: str) -> None:
    client = app.test_client()
    page = client.get(path)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for address in loaded:
        assert address.startswith("/v0.7/docs/")
        with client.get(address) as file:
            assert file.status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2f__init__.py", "%2e%2e/__init__.py"])
def test_only_the_files_of_the_page_are_served(app: Flask, name: str) -> None:
    assert app.test_client().get(f"/v0.7/docs/{name}").status_code == 404


def test_document_tells_the_bounds_that_are_checked(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert paths["/v0.7/recognition/specs"]["post"]["requestBody"]["required"] is True
    assert paths["/v0.7/recognition/specs/{spec_id}"]["patch"]["requestBody"]["required"] is False
    label = document["components"]["schemas"]["Label"]["properties"]["name"]
    assert (label["minLength"], label["pattern"]) == (1, r"\S")
    offset, limit = paths["/v0.7/recognition/specs"]["get"]["parameters"]
    assert offset["schema"]["maximum"] == 2**63 - 1 - 1000
    assert limit["schema"]["maximum"] == 1000


@pytest.mark.parametrize(
    ("name", "alternatives"),
    [
        ("PostProcessing", ["classification", "detection"]),
        ("Detection", ["direct_output", "standard_output", "anchored_output", "yolo_output", "yolov3_output"]),
    ],
)
def test_document_says_where_exactly_one_field_is_to_be_given(
    document: dict[str, Any], name: str, alternatives: list[str]
) -> None:
    schema = document["components"]["schemas"][name]
    assert schema["oneOf"] == [{"required": [field]} for field in alternatives]
    assert set(alternatives) <= set(schema["properties"])


def test_document_says_which_files_make_a_network(document: dict[str, Any]) -> None:
    upload = document["paths"]["/v0.7/networks"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    sets = [set(alternative["required"]) for alternative in upload["oneOf"]]
    assert {"model.pt2"} in sets
    assert {"weights.pth", "architecture.json"} in sets
    assert len(sets) == 4
    assert set().union(*sets) <= set(upload["properties"])


def test_patterns_of_the_document_are_those_of_json_schema(document: dict[str, Any]) -> None:
    mean_file = document["components"]["schemas"]["ImagePreparation"]["properties"]["mean_file"]
    assert mean_file["pattern"] == r"^([^/\\\x00]+\.npy)?$"
