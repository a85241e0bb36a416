"""The record of the library, on SQLite or PostgreSQL. The only package that knows SQLAlchemy."""
