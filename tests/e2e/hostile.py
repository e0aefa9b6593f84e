"""Text that is a script, and a visitor who writes down whatever of it runs or is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext

SCRIPTS = (
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", '"><svg onload=alert(1)>',
    "'-alert(1)-'", "{{7*7}}", "javascript:alert(1)", "</title><script>alert(1)</script>",
)  # fmt: skip
REPORT = """document.addEventListener('securitypolicyviolation', event =>
    console.error('Content Security Policy: ' + event.violatedDirective))"""


@contextlib.contextmanager
def watched(browser: Browser, complaints: list[str], state: Any = None) -> Iterator[BrowserContext]:
    """A visitor (with the cookies of `state`) whose every dialog, page error and report of a
    content security policy is written down."""
    made = browser.new_context(locale="vi-VN", storage_state=state)
    made.add_init_script(REPORT)
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    made.on("console", lambda message: complaints.append(message.text)
            if "Content Security Policy" in message.text else None)  # fmt: skip
    made.on("dialog", lambda dialog: (complaints.append(f"dialog {dialog.message}"),
                                      dialog.dismiss()))  # fmt: skip
    yield made
    made.close()
