"""IANA numbers filterd speaks of, as plain integers: the hot path compares nothing else.

Source: IANA "Domain Name System (DNS) Parameters". Knows nothing besides.
"""

from __future__ import annotations

from typing import Final

# RR types
A: Final = 1
NS: Final = 2
MD: Final = 3
MF: Final = 4
CNAME: Final = 5
SOA: Final = 6
MB: Final = 7
MG: Final = 8
MR: Final = 9
PTR: Final = 12
HINFO: Final = 13
MINFO: Final = 14
MX: Final = 15
TXT: Final = 16
RP: Final = 17
AFSDB: Final = 18
RT: Final = 21
SIG: Final = 24
PX: Final = 26
AAAA: Final = 28
NXT: Final = 30
SRV: Final = 33
NAPTR: Final = 35
KX: Final = 36
DNAME: Final = 39
OPT: Final = 41
DS: Final = 43
RRSIG: Final = 46
NSEC: Final = 47
DNSKEY: Final = 48
NSEC3: Final = 50
SVCB: Final = 64
HTTPS: Final = 65
TKEY: Final = 249
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
MAILB: Final = 253
MAILA: Final = 254
ANY: Final = 255

# Classes
IN: Final = 1
CH: Final = 3

# RCODEs; those above 15 need OPT (RFC 6891 §6.1.3)
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16
BADCOOKIE: Final = 23

# Header flag bits (RFC 1035 §4.1.1, RFC 4035 §3)
QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
AD: Final = 0x0020
CD: Final = 0x0010

# EDNS
DO: Final = 0x8000
OPTION_ECS: Final = 8
OPTION_COOKIE: Final = 10
OPTION_KEEPALIVE: Final = 11
OPTION_PADDING: Final = 12
OPTION_EDE: Final = 15
UDP_SIZE: Final = 1232
"""What filterd announces and never exceeds over UDP (flag day 2020, RFC 9715)."""

# Extended DNS errors (RFC 8914 §4 and the registry)
EDE_OTHER: Final = 0
EDE_STALE: Final = 3
EDE_FORGED: Final = 4
EDE_BOGUS: Final = 6
EDE_CACHED_ERROR: Final = 13
EDE_NOT_READY: Final = 14
EDE_BLOCKED: Final = 15
EDE_CENSORED: Final = 16
EDE_PROHIBITED: Final = 18
EDE_STALE_NXDOMAIN: Final = 19
EDE_NO_REACHABLE: Final = 22
EDE_NETWORK: Final = 23
EDE_INVALID: Final = 24

# SvcParamKeys (RFC 9460 §14.3.2)
SVC_IPV4HINT: Final = 4
SVC_ECH: Final = 5
SVC_IPV6HINT: Final = 6
