"""Models behind HTTP. Open `client.py` first: it posts JSON to one of several servers, and nothing in it,
`limit.py`, `retry.py` or `pull.py` knows of chats. `engine.py` asks chat endpoints for judgements."""
