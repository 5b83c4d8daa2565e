"""`flask doctor`: looks at everything that must be right for an alert to arrive, and says of each fault how to mend it."""
