"""JSON Schema validators, imported on use: jsonschema alone costs as much as the filter's start.

Where another package brought `rfc3987_syntax`, importing jsonschema compiles a grammar of IRIs:
2.4 s of CPU in which the supervisor answers nobody. No schema of ours knows an IRI.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType

    from jsonschema import Draft202012Validator

_GRAMMAR = "rfc3987_syntax"


def validator(schema: Mapping[str, object], *, formats: bool = False) -> Draft202012Validator:
    """A validator of a schema (2020-12); with `formats`, dates and the like are looked at too."""
    kept = _GRAMMAR in sys.modules or "jsonschema" in sys.modules
    if not kept:
        # None makes its import fail (importlib), and jsonschema goes on without it
        sys.modules[_GRAMMAR] = cast("ModuleType", None)
    try:
        from jsonschema import Draft202012Validator
    finally:
        if not kept:
            del sys.modules[_GRAMMAR]
    checker = Draft202012Validator.FORMAT_CHECKER if formats else None
    return Draft202012Validator(schema, format_checker=checker)
