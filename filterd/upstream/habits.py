"""What one upstream has shown of itself between queries, shared by its UDP and its TCP side."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(slots=True)
class Habits:
    """Mutable on purpose, one per upstream; the counters are for metrics and only grow.

    `keeps_case` False: it does not repeat 0x20 case; learnt over TCP only. `edns` False: it
    refuses OPT. Cookies: RFC 7873; the client's is drawn once per upstream (RFC 9018 §3).
    """

    keeps_case: bool = True
    edns: bool = True
    client_cookie: bytes = field(default_factory=lambda: os.urandom(8))
    server_cookie: bytes = b""
    wrong_ids: int = 0
    malformed: int = 0
    to_tcp: int = 0

    def trust_again(self) -> None:
        """Forget what was loosened, so that an upstream that got better is asked properly."""
        self.keeps_case = self.edns = True
