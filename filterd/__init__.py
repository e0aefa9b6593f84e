"""filterd: the DNS filter of a school gateway."""
