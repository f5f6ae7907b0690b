"""Audio files: encoding and decoding.

``encode`` writes one of five containers in bounded memory, ``decode`` and ``probe`` read whatever
FFmpeg reads. PyAV is imported when a function needs it, not before.
"""

from provenance.audio.containers import CONTAINERS, Container, container
from provenance.audio.decode import AudioInfo, Mark, decode, opened_blocks, probe
from provenance.audio.encode import ChapterSpan, Encoding, encode
from provenance.audio.pcm import FloatArray
from provenance.audio.tags import DISCLOSURE, Tags

__all__ = [
    "CONTAINERS",
    "DISCLOSURE",
    "AudioInfo",
    "ChapterSpan",
    "Container",
    "Encoding",
    "FloatArray",
    "Mark",
    "Tags",
    "container",
    "decode",
    "encode",
    "opened_blocks",
    "probe",
]
