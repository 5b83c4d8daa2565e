"""The pure core: bytes in, decisions out. No clock, no environment, no I/O; imports nothing else of ours."""
