"""Processes and sockets: what the supervisor holds and keeps alive. Decides nothing about DNS."""
