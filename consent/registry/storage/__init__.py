"""Where things lie: database, signed rows, the log, and the order in which they are written."""
