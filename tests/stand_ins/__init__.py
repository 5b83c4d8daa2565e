"""Vendors on loopback sockets: they keep state, check what they are told by the vendor's documented rules, and can be faulty."""
