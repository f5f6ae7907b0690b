"""Cedar policies shipped with the package."""
