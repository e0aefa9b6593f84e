"""The sentences of filterd about lists, each as filterd writes it, with names for its places.

A sentence here is a message id of the catalogue, so its translation is asked for by the test of
the catalogue. What begins with an address or a path is written without it.
"""

from __future__ import annotations


def of_filterd(sentence: str) -> str:
    """The sentence itself: the mark by which the catalogue finds it."""
    return sentence


CLAUSES = frozenset({"why", "wanted", "got", "remedy"})
"""Places in which another sentence of filterd stands."""

_FETCHING = (
    of_filterd("more than %(n)s redirects"),
    of_filterd("a redirect to nowhere"),
    of_filterd("redirects from https to http"),
    of_filterd("no address"),
    of_filterd("only %(schemes)s addresses of hosts are fetched"),
    of_filterd("HTTP %(status)s"),
    of_filterd("%(size)s MiB is more than %(limit)s MiB"),
    of_filterd("more than %(limit)s MiB"),
    of_filterd("not finished after %(seconds)s s"),
    of_filterd("cut short (%(size)s of %(whole)s octets)"),
    of_filterd("its certificate is not valid: %(why)s"),
    of_filterd("no answer in time"),
    of_filterd("cannot be resolved: %(why)s"),
    of_filterd("%(host)s is at %(address)s, which is no public address: refused"),
)
_READING = (
    of_filterd("there is not one usable entry in it"),
    of_filterd("damaged or truncated: %(why)s"),
    of_filterd("unpacks to more than %(limit)s MiB: refused"),
    of_filterd("more than %(n)s members: refused"),
    of_filterd("more than %(n)s lines: refused"),
    of_filterd("damaged archive: %(why)s"),
    of_filterd("the list is UTF-16: save it as UTF-8"),
    of_filterd("the list is UTF-16: only UTF-8 is read"),
    of_filterd("it is a web page, not a list (a login page?)"),
    of_filterd("it is binary, not text"),
    of_filterd("unknown list format %(name)s: one of %(formats)s"),
    of_filterd("format is one of: auto, %(formats)s"),
    of_filterd("reading it takes more memory than a list may use"),
    of_filterd("not a cache file of this version"),
    of_filterd("damaged cache file: %(why)s"),
    of_filterd("damaged cache file"),
)
_COMPILING = (
    of_filterd("the disk is nearly full: compiling needs %(size)s MiB free in %(folder)s"),
    of_filterd("cannot compile in %(folder)s: %(why)s"),
    of_filterd("cannot make %(folder)s: %(why)s"),
    of_filterd("cannot write %(path)s: %(why)s"),
    of_filterd("the compiler did not start"),
    of_filterd("the compiler ran out of memory; the old index stays"),
    of_filterd("the compiler ran out of memory or was killed (half %(half)s)"),
    of_filterd("the compiler was ended by signal %(signal)s; the old index stays"),
    of_filterd("the compiler failed (%(why)s); the old index stays"),
    of_filterd("not a compile job: %(why)s"),
    of_filterd("another update of the lists is running: try later"),
)
_INDEX = (
    of_filterd("there is no compiled list index at %(path)s: %(remedy)s"),
    of_filterd("cannot read %(path)s: %(why)s: %(remedy)s"),
    of_filterd("%(path)s is damaged (checksum): %(remedy)s"),
    of_filterd("%(path)s is damaged (head): %(remedy)s"),
    of_filterd("%(path)s is cut short: %(remedy)s"),
    of_filterd("%(path)s is cut short (%(size)s of %(whole)s octets): %(remedy)s"),
    of_filterd("%(path)s is not a list index: %(remedy)s"),
    of_filterd("%(path)s has index format %(found)s, this filterd reads %(known)s: %(remedy)s"),
    of_filterd("this index has no file: %(remedy)s"),
    of_filterd("run: filterd lists compile"),
)
_ASKED_FOR = (
    of_filterd("there is no list %(name)s"),
    of_filterd("nothing of %(name)s waits for a decision"),
    of_filterd("there is no other version of %(name)s to go back to"),
    of_filterd("%(name)s is not a list of the school's own"),
    of_filterd("%(path)s does not exist"),
    of_filterd("no list in %(path)s whose category is known"),
)
_EXPECTED = (
    of_filterd("the policy's expectations fail with the new lists: %(why)s"),
    of_filterd("%(tier)s: %(name)s must be %(wanted)s, is %(got)s"),
    of_filterd("blocked"),
    of_filterd("allowed"),
    of_filterd("rewritten"),
)
_SYSTEM = (
    of_filterd("No space left on device"),
    of_filterd("Disk quota exceeded"),
    of_filterd("Read-only file system"),
    of_filterd("Input/output error"),
    of_filterd("Permission denied"),
    of_filterd("No such file or directory"),
    of_filterd("Too many open files"),
    of_filterd("Cannot allocate memory"),
    of_filterd("Connection refused"),
    of_filterd("Connection reset by peer"),
    of_filterd("Connection timed out"),
    of_filterd("Network is unreachable"),
    of_filterd("No route to host"),
    of_filterd("Broken pipe"),
    of_filterd("Name or service not known"),
    of_filterd("No address associated with hostname"),
    of_filterd("Temporary failure in name resolution"),
    of_filterd("Remote end closed connection without response"),
)
_CERTIFICATES = (
    of_filterd("certificate has expired"),
    of_filterd("certificate is not yet valid"),
    of_filterd("self-signed certificate"),
    of_filterd("self-signed certificate in certificate chain"),
    of_filterd("unable to get local issuer certificate"),
    of_filterd("unable to get issuer certificate"),
    of_filterd("unable to verify the first certificate"),
    of_filterd("certificate revoked"),
    of_filterd("certificate rejected"),
    of_filterd("certificate not trusted"),
    of_filterd("certificate signature failure"),
    of_filterd("certificate chain too long"),
    of_filterd("invalid CA certificate"),
    of_filterd("unsuitable certificate purpose"),
    of_filterd("path length constraint exceeded"),
    of_filterd("EE certificate key too weak"),
    of_filterd("CA certificate key too weak"),
    of_filterd("CA signature digest algorithm too weak"),
    of_filterd("Hostname mismatch, certificate is not valid for '%(host)s'."),
    of_filterd("IP address mismatch, certificate is not valid for '%(host)s'."),
)
SENTENCES = (
    *_FETCHING, *_READING, *_COMPILING, *_INDEX, *_ASKED_FOR, *_EXPECTED, *_SYSTEM, *_CERTIFICATES,
)  # fmt: skip
