"""coqui-tts as a speech engine."""
