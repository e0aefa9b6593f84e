"""The pages people see: console, portal, office."""
