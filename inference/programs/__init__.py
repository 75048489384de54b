"""Exported programs (``model.pt2``): what of their description is changed before torch reads it."""
