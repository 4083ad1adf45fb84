"""
The wire of Anthropic's Messages API.

`wire.Anthropic` is its door.
"""
