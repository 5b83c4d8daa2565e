"""What the service looks after beside alerts: itself, Sentry, and the way out."""
