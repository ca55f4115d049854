"""Home Assistant, the program from PyPI, without a screen: who reads what we announce, and commands it.

`installation` fetches it, `program` runs it, `seeds` are the files with which it starts as if a user had set it up, and
`home` is that user. It listens on loopback only. `place` has the Things.
"""
