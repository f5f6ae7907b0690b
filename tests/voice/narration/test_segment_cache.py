from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narration_kit import playable

from consent.errors import ModelError, StorageError
from consent.home import Home
from voice.narration.cache import SegmentCache, segment_key

KEY = segment_key(
    fingerprint="f", voice="e:v", spoken="Hello.", language="en", speed=1.0, variation=0
)
OTHER = "0" * 64


@pytest.fixture
def cache(home: Home) -> SegmentCache:
    return SegmentCache.open(home)


def speech(seconds: float = 1.0, peak: float = 0.7) -> np.ndarray:
    noise = np.random.default_rng(3).standard_normal(int(24000 * seconds)).astype(np.float32)
    return noise / np.abs(noise).max() * np.float32(peak)


@given(
    st.dictionaries(
        st.sampled_from(["fingerprint", "voice", "spoken", "language"]), st.text(), max_size=4
    ),
    st.floats(0.5, 2.0),
    st.integers(0, 3),
)
@settings(max_examples=50)
def test_everything_that_affects_the_sound_changes_the_key(
    changes: dict[str, str], speed: float, variation: int
) -> None:
    plain = {"fingerprint": "f", "voice": "e:v", "spoken": "Hello.", "language": "en"}
    changed = {**plain, **changes}
    key = segment_key(**changed, speed=speed, variation=variation)
    same = changed == plain and speed == 1.0 and variation == 0
    assert (key == KEY) == same


@pytest.mark.parametrize("peak", [1e-4, 0.1, 1.0, 1.4])
def test_what_is_put_in_comes_out_98_db_clean(cache: SegmentCache, peak: float) -> None:
    samples = speech(peak=peak)
    cache.put(KEY, samples, 24000)
    entry = cache.get(KEY)
    assert entry is not None
    out, rate = entry
    assert rate == 24000
    assert out.dtype == np.float32
    assert np.abs(out - samples).max() < peak * 10 ** (-90 / 20)


def test_an_empty_segment_is_an_entry_too(cache: SegmentCache) -> None:
    cache.put(KEY, np.zeros(0, dtype=np.float32), 22050)
    entry = cache.get(KEY)
    assert entry is not None
    assert entry[0].size == 0
    assert entry[1] == 22050


def test_what_is_not_there_is_a_miss(cache: SegmentCache) -> None:
    assert cache.get(KEY) is None


def test_the_file_is_private_encrypted_and_cannot_be_played(cache: SegmentCache) -> None:
    samples = speech()
    cache.put(KEY, samples, 24000)
    path = cache.path(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert playable(cache.folder) == []
    pcm = np.rint(samples / np.abs(samples).max() * 32767).astype("<i2").tobytes()
    data = path.read_bytes()
    assert pcm[:64] not in data
    assert pcm[-64:] not in data


@pytest.mark.parametrize("place", ["magic", "rate", "scale", "nonce", "start", "end"])
def test_any_flipped_bit_is_a_miss_and_removes_the_entry(cache: SegmentCache, place: str) -> None:
    cache.put(KEY, speech(), 24000)
    path = cache.path(KEY)
    data = bytearray(path.read_bytes())
    offset = {"magic": 0, "rate": 8, "scale": 16, "nonce": 20, "start": 40, "end": len(data) - 1}
    data[offset[place]] ^= 4
    path.write_bytes(data)
    assert cache.get(KEY) is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 10, 32, 47, 5000])
def test_a_truncated_entry_is_a_miss(cache: SegmentCache, length: int) -> None:
    cache.put(KEY, speech(), 24000)
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:length])
    assert cache.get(KEY) is None
    assert not path.exists()


def test_entries_cannot_be_swapped(cache: SegmentCache) -> None:
    cache.put(KEY, speech(), 24000)
    cache.path(OTHER).parent.mkdir()
    cache.path(KEY).rename(cache.path(OTHER))
    assert cache.get(OTHER) is None


def test_another_homes_key_opens_nothing(cache: SegmentCache) -> None:
    cache.put(KEY, speech(), 24000)
    stranger = SegmentCache(cache.folder, os.urandom(32))
    assert stranger.get(KEY) is None


def test_sound_that_is_not_numbers_is_refused(cache: SegmentCache) -> None:
    broken = speech()
    broken[5] = np.nan
    with pytest.raises(ModelError, match="not numbers"):
        cache.put(KEY, broken, 24000)
    assert cache.size().entries == 0


def test_pruning_removes_what_was_unused_longest_and_keeps_what_is_needed(
    cache: SegmentCache,
) -> None:
    keys = [f"{i:064x}" for i in range(6)]
    for age, key in enumerate(keys):
        cache.put(key, speech(0.1), 24000)
        os.utime(cache.path(key), (1_000_000 + age, 1_000_000 + age))
    one = cache.size().size // 6
    assert cache.get(keys[1]) is not None  # used now: the youngest
    freed = cache.prune(3 * one, keep={keys[0]})
    assert freed == 3 * one
    left = [key for key in keys if cache.path(key).exists()]
    assert left == [keys[0], keys[1], keys[5]]
    assert cache.size().entries == 3


def test_pruning_clears_up_after_killed_writers_and_leaves_running_ones(
    cache: SegmentCache,
) -> None:
    cache.put(KEY, speech(0.1), 24000)
    folder = cache.path(KEY).parent
    old, new = folder / f".{KEY}.abc.tmp", folder / f".{KEY}.def.tmp"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1_000_000, 1_000_000))
    cache.prune(10**9)
    assert not old.exists()
    assert new.exists()
    assert cache.get(KEY) is not None


def test_cleaning_up_removes_nothing_but_the_caches_own_files(
    cache: SegmentCache, tmp_path: Path
) -> None:
    # Somebody puts the cache on another disk, in a folder that has something in it already.
    shared = tmp_path / "elsewhere"
    cache.folder.rename(shared)
    cache.folder.symlink_to(shared)
    cache.put(KEY, speech(), 24000)
    foreign = [
        shared / "photos" / "summer.jpg",
        shared / "ab" / "notes.txt",
        shared / "ab" / "other.seg",
        shared / "ab" / ".letter.tmp",
    ]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"precious")
        os.utime(path, (0, 0))
    (shared / "cd").mkdir()
    (shared / "cd" / "folder").mkdir()
    (shared / "ef").symlink_to(shared / "photos")
    cache.prune(0)
    assert cache.get(KEY) is None
    assert all(path.read_bytes() == b"precious" for path in foreign)


def _hammer(root: str, seed: int) -> None:
    cache = SegmentCache.open(Home.open(Path(root)))
    rng = np.random.default_rng(seed)
    for _ in range(60):
        key = f"{rng.integers(4):064x}"
        if rng.random() < 0.5:
            cache.put(key, np.full(2000, int(key, 16) / 8, dtype=np.float32), 24000)
        elif rng.random() < 0.2:
            cache.prune(0)
        elif (entry := cache.get(key)) is not None:
            assert np.allclose(entry[0], int(key, 16) / 8, atol=1e-4)


def test_processes_may_share_a_cache(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_hammer, args=(str(home.root), s)) for s in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4


def test_a_full_disk_is_said_and_leaves_no_half_entry(cache: SegmentCache) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            cache.put(KEY, speech(2.0), 24000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert cache.get(KEY) is None
    assert [p for p in cache.folder.rglob("*") if p.is_file()] == []
