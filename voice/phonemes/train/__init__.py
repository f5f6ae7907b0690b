"""Training of the two small models that pronunciation uses. Needs torch."""
