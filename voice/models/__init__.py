"""Model cards, integrity and licences."""
