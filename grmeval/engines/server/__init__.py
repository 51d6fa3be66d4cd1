"""Models behind HTTP. `engine.py` asks chat endpoints for judgements; `client.py` posts JSON to one of
several servers, and nothing in it, `limit.py`, `retry.py` or `pull.py` knows of chats."""
