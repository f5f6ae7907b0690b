"""Grants and statements: taken in, kept, asked again; the minutes they hold."""
