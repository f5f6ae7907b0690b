"""Audio files: encoding and decoding."""
