"""Small files that are what they say, to make honest and hostile uploads of."""

from __future__ import annotations

import struct
import zlib


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\0"))
    + _chunk(b"IEND", b"")
)
JPEG = (
    bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
    + b"\xff\xdb\x00\x43\x00"
    + bytes(64)
    + b"\xff\xd9"
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
WEBP = b"RIFF" + struct.pack("<I", 4 + 8 + 10) + b"WEBPVP8 " + struct.pack("<I", 10) + bytes(10)
TXT = "Мы не виноваты. 我们没有。\n".encode()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


MP4 = box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"moov", bytes(16)) + box(b"mdat", bytes(32))
ZIP = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(100)

HONEST = {
    "contract.pdf": PDF,
    "screen shot.PNG": PNG,
    "photo.jpg": JPEG,
    "photo.2026-11-01.jpeg": JPEG,
    "logo.webp": WEBP,
    "说明.txt": TXT,
    "clip.mp4": MP4,
}

#: (file name, content): each must be refused, with words.
HOSTILE: list[tuple[str, bytes]] = [
    # not what is accepted
    ("virus.exe", EXE),
    ("page.html", HTML),
    ("drawing.svg", SVG),
    ("archive.zip", ZIP),
    ("macro.docm", ZIP),
    ("script.js", b"alert(1)"),
    ("shell.sh", b"#!/bin/sh\nrm -rf /\n"),
    ("picture.gif", b"GIF89a" + bytes(20)),
    ("no extension", PDF),
    (".pdf", PDF),
    ("..pdf", PDF),
    ("name.", PDF),
    ("name.pdf ", PDF),
    # one thing called another
    ("photo.png", EXE),
    ("photo.png", HTML),
    ("photo.jpg", SVG),
    ("photo.webp", PNG),
    ("photo.png", JPEG),
    ("paper.pdf", HTML),
    ("paper.pdf", EXE),
    ("paper.pdf", ZIP),
    ("clip.mp4", PDF),
    ("clip.mp4", b"\0\0\0\x18ftypheic" + bytes(12)),
    ("note.txt", EXE),
    ("note.txt", PDF),
    ("note.txt", SVG),
    ("note.txt", HTML),
    ("note.txt", b"#!/bin/sh\nid\n"),
    ("note.txt", b"{\\rtf1 {\\object}}"),
    ("note.txt", b"caf\xe9 in Latin-1"),
    ("note.txt", b"a\0b"),
    # two things at once
    ("both.png", PNG + HTML),
    ("both.png", PNG + ZIP),
    ("both.jpg", JPEG + ZIP),
    ("both.jpg", JPEG + b"<?php system($_GET['c']); ?>"),
    ("both.jpg", JPEG + b"<ScRiPt>alert(1)</sCrIpT>"),
    ("both.pdf", PDF + ZIP),
    ("both.pdf", b"GIF89a" + PDF),
    ("both.pdf", b"\n\n" + PDF),
    ("both.webp", WEBP + HTML),
    ("both.mp4", MP4 + HTML),
    ("both.mp4", MP4 + ZIP),
    # dangerous inside
    ("active.pdf", PDF.replace(b"/Type", b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>/Type")),
    ("launch.pdf", PDF.replace(b"/Type", b"/OpenAction<</S/Launch /F(cmd.exe)>>/Type")),
    ("embed.pdf", PDF.replace(b"/Type", b"/Names<</EmbeddedFiles 3 0 R>>/Type")),
    # broken or out of size
    ("cut.pdf", PDF[:20]),
    ("cut.png", PNG[:-4]),
    ("cut.jpg", JPEG[:-2]),
    ("cut.mp4", MP4[:-5]),
    ("cut.webp", WEBP[:-1]),
    ("empty.pdf", b""),
    ("empty.txt", b""),
    ("huge.txt", b"a" * (10 * 1024 * 1024 + 1)),
    # names that lie
    ("invoice.exe.pdf", PDF),
    ("invoice.html.png", PNG),
    ("invoice.php.jpg", JPEG),
    ("invoice.pdf.exe", PDF),
    ("x" * 250 + ".pdf", PDF),
]

#: Names that a browser cannot send but a hand-made request or another face can: refused by the service itself.
HOSTILE_NAMES = [
    "../../etc/passwd.pdf",
    "..\\..\\boot.pdf",
    "/etc/cron.d/job.pdf",
    "a\0.pdf",
    "a\n.pdf",
    "a\x7f.pdf",
    "",
    " ",
]
