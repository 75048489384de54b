"""What every kind of answer shares: dates, pages, errors, the ID of a task; and the account that asks."""

from typing import Any

from marshmallow import Schema, fields

from store.records import Principal
from store.task_json import iso_date


class Moment(fields.DateTime):
    """A date of an answer."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else iso_date(value)


class ErrorSchema(Schema):
    """The payload of every error."""

    error = fields.String(
        required=True,
        metadata={"description": "One sentence that says what is wrong.", "example": "name: This field is required."},
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "For validation failures only: messages by the path of the element.",
            "example": {"inputs.0.image.source": ["This field is required."]},
        },
    )


class AccountSchema(Schema):
    """The account and role of the key that asks."""

    id = fields.Integer()
    name = fields.String()
    app_id = fields.String()
    role = fields.String(metadata={"enum": ["admin", "read"]})
    date_created = Moment()


class WebhookSecretSchema(Schema):
    """The secret of an account, by which its receivers know that a webhook is genuine."""

    secret = fields.String(required=True, metadata={"example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})


def account_answer(principal: Principal) -> dict[str, Any]:
    """Return what ``AccountSchema`` shows of a principal."""
    return {
        "id": principal.account_id,
        "name": principal.account_name,
        "app_id": principal.app_id,
        "role": principal.role,
        "date_created": principal.date_created,
    }


def page_schema(name: str, element: type[Schema]) -> type[Schema]:
    """Return the schema of a page of ``element``; ``name`` is its name in the OpenAPI document."""
    return Schema.from_dict(
        {
            "count": fields.Integer(required=True, metadata={"description": "The length of the whole list."}),
            "next": fields.Url(required=True, allow_none=True, metadata={"description": "The next page."}),
            "previous": fields.Url(required=True, allow_none=True, metadata={"description": "The page before."}),
            "results": fields.List(fields.Nested(element), required=True),
        },
        name=name,
    )
