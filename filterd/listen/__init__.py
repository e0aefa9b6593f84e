"""Listeners: UDP drain loop, TCP, TLS, HTTPS, and who may ask how often."""
