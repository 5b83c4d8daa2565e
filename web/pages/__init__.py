"""The pages of the console: each module shows one thing, reads it through `storage`, and decides nothing."""
