"""Everything that hears: transcription, levels, voice activity."""
