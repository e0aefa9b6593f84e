"""PURE. What a school decided and the verdict that follows from it."""
