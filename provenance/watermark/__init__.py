"""The watermark in the sound."""
