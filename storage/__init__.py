"""SQL rows and the Redis queue: SQLAlchemy, redis and rq stop here; values of `routing` go in and out."""
