"""What must survive: SQLite through aiosqlite, one store for each noun. The only user of it.

Knows no DNS, no policy rules and no protocol. Time comes in as an argument; every write is one
transaction, and synchronous=FULL makes an acknowledged one survive a power cut.
"""
