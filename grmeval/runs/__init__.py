"""Runs: a folder that can be killed, resumed, extended and read again."""
