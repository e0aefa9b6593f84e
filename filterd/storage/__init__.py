"""SQLite: database, migrations, one store per noun. The only user of aiosqlite."""
