"""`make demo`: one signed alert for each rule of the guide through the real service, and what followed, for people to read."""
