"""What comes over the network: files that are whole or not there, commits of the hub and its cache.

Open download.py first: requests that end. hub.py is built on it.
"""
