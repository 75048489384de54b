"""Reads HTTP/1.1 requests with gunicorn's parser, and answers those that have no application to answer them."""
