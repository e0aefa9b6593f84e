"""Evidence about the filter, never about a pupil: method, self-test, summaries, report."""
