"""
everup: a gateway that answers as long as any configured model can.

Lives here: the version, and the rooms of the house (docs/words.md says what each word means).
Must not: import anything, so that `import everup` costs nothing and does nothing.
"""

__version__ = "0.1.0"
