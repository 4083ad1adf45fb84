"""
The wire of Ollama's own chat API (`/api/chat`).

`wire.Ollama` is its door.
"""
