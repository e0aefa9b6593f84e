"""The control socket: protocol, server, client, one module of routes per noun."""
