"""PURE. DNS messages as bytes: names, queries, responses, EDNS, constants."""
