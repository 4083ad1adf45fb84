"""
The wire of OpenAI's chat completions and of everything compatible.

`wire.OpenAIChat` is its door.
"""
