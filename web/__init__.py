"""The pages and paths of the web process, but for that which takes Sentry's webhooks."""
