"""The box between the school and the Internet: firewall, installation, what may be wrong with it.

Owns nftables rules and the files that an installation writes. Decides nothing about names.
"""
