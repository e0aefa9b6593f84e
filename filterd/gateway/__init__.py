"""The box: nftables rules, firewall self-test, set-up."""
