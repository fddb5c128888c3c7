"""The database: the only place that knows SQL. SQLite embedded, PostgreSQL by URL, the same contract on both."""
