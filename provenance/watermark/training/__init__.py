"""Training the watermark: ``python -m provenance.watermark.training``.

Three verbs. ``data`` gathers speech (recordings in Debian packages, renderings by the installed
engines) and sounds that are no speech into one data set on disk; ``train`` trains generator and
detector of a compact AudioSeal through a curriculum, and goes on from its last checkpoint when
called again; ``export`` writes half-precision weights that audioseal's own loader opens, a model
card with figures on held-out speakers, and a digest of the log. See docs/watermark-training.md.

Nothing here is imported by the rest of the program.
"""
