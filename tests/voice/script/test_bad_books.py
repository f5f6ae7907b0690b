"""Bad input: each a clear InputError that names the file and the place."""

# ruff: noqa: E501  (cases read better on one line)
from __future__ import annotations

import io
import os
import struct
import zipfile

import pytest

from consent.errors import InputError
from voice.script import make_plan, read_book


def refuse(data: bytes, match: str, **options):
    with pytest.raises(InputError, match=match) as caught:
        read_book(None, stream=io.BytesIO(data), **options)
    assert "standard input" in caught.value.message or "format" in caught.value.message
    return caught.value


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (b"  \n\t\n", "empty"),
        (b"%PDF-1.7 ...", "a PDF"),
        (bytes(60) + b"BOOKMOBI", "Kindle"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"PK\x03\x04 but no more", "ZIP archive is damaged"),
        (bytes(range(256)) * 50, "not text"),
        ("Привет".encode("utf-16")[:-1], "utf-16"),
    ],
)
def test_what_is_no_book_is_named(data, match):
    refuse(data, match)


@pytest.mark.parametrize("encoding", ["undefined", "idna", "punycode", "rot13", "zlib_codec"])
def test_a_declared_encoding_that_is_none_does_no_harm(make_epub, xhtml, encoding):
    page = f'<?xml version="1.0" encoding="{encoding}"?><html><body><p>'.encode()
    page += b"caf\xe9 and more.</p></body></html>"
    data = make_epub({"a.xhtml": ""}, members={"OEBPS/a.xhtml": page})
    book = read_book(None, stream=io.BytesIO(data))
    assert "and more." in book.chapters[0].blocks[-1].text


def test_a_device_without_an_end_is_read_no_further_than_a_book(monkeypatch):
    monkeypatch.setattr("voice.script.reader.MAX_BYTES", 100_000)
    with pytest.raises(InputError, match=r"/dev/zero: .* is more than a book"):
        read_book("/dev/zero", format="text")


@pytest.mark.parametrize("picture", [b"\xff\xd8\xff\xe0 cut", b"\x89PNG\r\n\x1a\n", b"GIF89a", b""])
def test_a_damaged_cover_is_left_out_and_the_book_is_read(make_epub, xhtml, picture):
    item = '<item id="c" href="c.jpg" media-type="image/jpeg" properties="cover-image"/>'
    data = make_epub(
        {"a.xhtml": xhtml("<p>Text.</p>")}, manifest_extra=item, members={"OEBPS/c.jpg": picture}
    )
    book = read_book(None, stream=io.BytesIO(data))
    assert (book.cover, book.cover_type) == (None, "")


def test_a_zip_that_is_no_epub():
    refuse(zipped({"hello.txt": b"hi"}), "not an EPUB: META-INF/container.xml is missing")


def test_a_truncated_epub(make_epub, xhtml):
    data = make_epub({"a.xhtml": xhtml("<p>Text.</p>" * 200)})
    refuse(data[: len(data) // 2], "damaged")


def test_a_damaged_member_is_named(make_epub, xhtml):
    data = make_epub({"a.xhtml": xhtml("".join(f"<p>Word {n * 7919}.</p>" for n in range(3000)))})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("OEBPS/a.xhtml")
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    broken = data[:at] + bytes(b ^ 0xFF for b in data[at : at + 8]) + data[at + 8 :]
    refuse(broken, "OEBPS/a.xhtml cannot be unpacked")


def test_a_zip_bomb_is_not_opened(make_epub, xhtml):
    bomb = make_epub({"a.xhtml": xhtml("<p>T</p>")}, members={"OEBPS/b.xhtml": bytes(30 << 20)})
    refuse(bomb, "ZIP bomb|unpacks to")


def test_a_lying_directory_entry_is_bounded(make_epub, xhtml):
    """The size in the directory says little, the data is more: no more than said is read."""
    data = make_epub({"a.xhtml": xhtml("<p>" + "word " * 5000 + "</p>")})
    at = data.rindex(b"OEBPS/a.xhtml") - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    lied = data[: at + 24] + struct.pack("<I", 100) + data[at + 28 :]
    refuse(lied, "cannot be unpacked|damaged")


def test_too_many_members_are_refused():
    refuse(zipped({f"f{n}": b"" for n in range(20_001)}, zipfile.ZIP_STORED), "20001 files")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
def test_names_that_leave_the_archive_are_refused(make_epub, xhtml, name):
    refuse(make_epub({"a.xhtml": xhtml("<p>T</p>")}, members={name: b"x"}), "outside the archive")


def encryption(algorithm):
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData>'
        '<enc:CipherReference URI="OEBPS/a.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>'
    ).encode()


def test_drm_is_named(make_epub, xhtml):
    algorithm = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    data = make_epub(
        {"a.xhtml": xhtml("<p>T</p>")}, members={"META-INF/encryption.xml": encryption(algorithm)}
    )
    error = refuse(data, "DRM")
    assert algorithm in error.message
    assert "OEBPS/a.xhtml" in error.message


def test_obfuscated_fonts_are_no_drm(make_epub, xhtml):
    fonts = encryption("http://www.idpf.org/2008/embedding")
    data = make_epub({"a.xhtml": xhtml("<p>T</p>")}, members={"META-INF/encryption.xml": fonts})
    assert read_book(None, stream=io.BytesIO(data)).chapters


def test_a_book_of_nothing_says_so(make_epub, xhtml):
    refuse(make_epub({"a.xhtml": xhtml("<p> </p><img src='x'/>")}), "no text to read")
    refuse(make_epub({"a.xhtml": xhtml("<p>x</p>", types="copyright-page")}), "left out by default")


def test_an_empty_spine(make_epub, xhtml):
    refuse(make_epub({"a.xhtml": xhtml("<p>x</p>")}, spine=[]), "spine .* is empty")


def test_empty_chapters_are_listed_and_the_rest_is_read(make_epub, xhtml):
    pages = {"a.xhtml": xhtml("<p>Text.</p>"), "b.xhtml": xhtml(""), "c.xhtml": ""}
    book = read_book(None, stream=io.BytesIO(make_epub(pages)))
    assert [s.where for s in book.skipped if s.key == "empty"] == ["OEBPS/b.xhtml", "OEBPS/c.xhtml"]


def test_deep_nesting_does_not_exhaust_the_stack(make_epub, xhtml):
    body = "<div>" * 1500 + "Deep." + "</div>" * 1500
    book = read_book(None, stream=io.BytesIO(make_epub({"a.xhtml": xhtml(body)})))
    assert book.chapters[0].blocks[0].text == "Deep."


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_book(tmp_path)
    with pytest.raises(InputError, match=r"none\.epub: there is no such file"):
        read_book(tmp_path / "none.epub")
    wrong = tmp_path / "wrong.epub"
    wrong.write_text("just text")
    with pytest.raises(InputError, match=r"wrong\.epub: not an EPUB"):
        read_book(wrong)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("text")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_book(path)


def test_an_unknown_format():
    refuse(b"text", "format is 'pdf'", format="pdf")


def test_a_book_no_voice_of_its_language_can_speak():
    book = read_book(None, stream=io.BytesIO("你好世界".encode()))
    with pytest.raises(InputError, match="nothing in it can be spoken in en"):
        make_plan(book, narrator="v")
