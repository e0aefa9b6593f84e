"""Numbered SQL files, applied once each in their order and never changed afterwards.

0001–0009 filterd's core, 0010–0019 the console's nouns, 0020–0029 evidence.
"""
