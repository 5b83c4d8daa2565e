"""The migrations, forward only."""
