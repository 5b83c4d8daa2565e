"""One module per kind of receiver: the vendor's layout and the vendor's protocol. No database, no queue, no clock of its own."""
