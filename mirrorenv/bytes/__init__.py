"""Agents that speak in bytes which are executed, remembered and counted."""
