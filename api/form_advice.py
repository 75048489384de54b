"""Tells those whose form has no image where it should be which field to send, by the name that a form has for it.

Errors name elements by their paths, as JSON has them, which a form cannot spell.
"""

import re
from typing import TypeVar

from flask import Request
from marshmallow import Schema

from api.bodies.reader import FORM, MULTIPART
from api.errors import InvalidRequest, RequestError, UnsupportedBody, UnsupportedEncoding
from api.schemas.fields import StrictSchema

AnyError = TypeVar("AnyError", bound=RequestError)

PLACE = re.compile(r"(?:items[.\[](\d+)\]?\.?)?inputs[.\[](\d+)")
ROOT = re.compile(r"[^.\[]*")
IMAGE_ROOTS = ("inputs", "items")
OPTIONS = re.compile(r"\b(?:bbox|polygon|crop_uniform_background|reference)\b")  # of an image or an item


def advised(error: AnyError, request: Request, schema: Schema, item: int = 0) -> AnyError:
    """Return ``error``, with advice if ``request`` is a form or a file that should have had an image of ``schema``.

    ``item`` is the item of a bulk request that the error is about, unless its path says so.
    """
    if not isinstance(schema, StrictSchema) or not schema.image_field:
        return error
    found = PLACE.match(next(iter(error.errors or {}), ""))
    place = {"item": found[1] or item, "input": found[2]} if found else {"item": item, "input": 0}
    advice = _advice(error, request, schema, schema.image_field.format(**place))
    return type(error)(error.message + advice, error.errors)


def _advice(error: RequestError, request: Request, schema: Schema, field: str) -> str:
    if isinstance(error, UnsupportedBody) and not isinstance(error, UnsupportedEncoding):
        return f" An image is sent as {MULTIPART}, in the field {field}."
    is_form = request.mimetype in (FORM, MULTIPART) and isinstance(error, InvalidRequest)
    if is_form and any(_may_be_image(path, schema) for path in error.errors or {}):
        return f" A form holds one image for each input, here {field}; with curl: -F '{field}=@image.jpg'."
    return ""


def _may_be_image(path: str, schema: Schema) -> bool:
    """Tell whether ``path`` is that of an image, or a name that the schema does not know."""
    root = ROOT.match(path)
    name = root[0] if root else ""
    return name not in schema.fields or (name in IMAGE_ROOTS and not OPTIONS.search(path))
