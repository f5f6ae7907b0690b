"""Making speech: scripts, engines, models and narration."""
