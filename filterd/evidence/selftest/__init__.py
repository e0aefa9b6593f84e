"""The self-test: harmless canaries asked through the path that pupils' devices use.

It proves that the filter's plumbing works for every tier, transport and question type. It does not
say how good the lists are (I6 does), and every run says which paths it could not take.
"""
