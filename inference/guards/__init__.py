"""Judges uploaded programs by their structure, before torch opens them."""
