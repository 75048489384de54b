"""Says why a network has no tensor of a name, from the report of its deployment."""

from collections.abc import Mapping
from typing import Any


def missing_tensor(report: Mapping[str, Any], name: str) -> str:
    """Return the sentences about an output that is asked for and not there."""
    has = ", ".join(output["name"] for output in report["outputs"])
    reasons = {each["name"]: each["reason"] for each in report.get("left_out", ())}
    why = f" {reasons[name]}" if name in reasons else ""
    return f"The network has no tensor {name!r}; it has {has}.{why}"
