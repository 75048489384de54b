"""Tells receivers that tasks have ended: a process of its own, so that slow receivers never slow inference."""
