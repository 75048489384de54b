"""Keeps known, harmless warnings of the libraries out of logs, and from becoming errors where warnings do.

``warnings.catch_warnings`` swaps the filters of the whole process and is not safe in threads, while images
are decoded and networks are run in many; so the filters are added once and looked for at each use.
"""

import re
import warnings


class QuietWarning:
    """Warnings that say nothing about what we do; call it before the code that may give them."""

    def __init__(self, *, message: str = "", module: str = "", category: type[Warning] = Warning) -> None:
        self._message = message
        self._module = module
        self._category = category
        self._entry = (
            "ignore",
            re.compile(message, re.IGNORECASE) if message else None,
            category,
            re.compile(module) if module else None,
            0,
        )

    def __call__(self) -> None:
        """Make sure that these warnings are ignored from here on, in this process."""
        if self._entry not in warnings.filters:
            warnings.filterwarnings("ignore", message=self._message, module=self._module, category=self._category)
