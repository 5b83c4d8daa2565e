"""The whole service under faults at random moments, and whether it lost or doubled anything: `make torture`."""
