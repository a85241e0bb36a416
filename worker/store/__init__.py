"""The library's database, SQLite or PostgreSQL. The only package that imports SQLAlchemy."""
