"""Marshmallow schemas: they validate what comes in, shape what goes out, and write the OpenAPI document."""
