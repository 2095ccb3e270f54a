"""What a guild may hand in as evidence. A file is taken for what its bytes are, never for what it is called.

Three things must agree: the extension, what puremagic finds in the first bytes, and the file's own structure to its last byte.
So a file that is two things at once (a picture with a web page or an archive behind it) is refused. Accepted files are still
never opened, run or shown inline by us: they are stored under random names and handed out as downloads.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import puremagic
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from guilds.errors import InvalidInput

MAX_FILES = 5
MAX_BYTES = 10 * 1024 * 1024
LONGEST_NAME = 200

#: What a browser's file dialog offers; the check does not depend on it.
ACCEPT = ".pdf,.png,.jpg,.jpeg,.webp,.txt,.mp4"

#: Parts of a name that make some system run the file: `invoice.exe.pdf` is nobody's honest evidence.
RUNNABLE = frozenset(
    "exe com scr bat cmd ps1 vbs js mjs jar jsp php phtml phar asp aspx cgi pl py sh htm html xhtml svg xml hta msi dll"
    " lnk".split()
)
MARKUP = re.compile(rb"<\s*(script|html|svg|!doctype|\?php|\?xml-stylesheet|iframe|body)", re.IGNORECASE)
PDF_ACTIVE = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFile|EmbeddedFiles|RichMedia)[\s/<(\[]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
#: An archive's directory may stand this far from the end of a file.
ARCHIVE_TAIL = 66_000


class Upload(Protocol):
    """What Django's UploadedFile offers and we use."""

    name: str | None

    def read(self, size: int = ..., /) -> bytes: ...
    def seek(self, offset: int, /) -> Any: ...


@dataclass(frozen=True)
class Accepted:
    """A checked file: the name the guild gave it, cleaned for show; its bytes and what they are."""

    name: str
    content_type: str
    content: bytes
    sha256: str


class _Refused(Exception):
    """Why one file was not taken, in words for the guild."""


def accept(uploads: Sequence[Upload], *, room: int = MAX_FILES) -> list[Accepted]:
    """Check every file and return them all, or raise InvalidInput with one error for each bad one.

    Errors are {"field": "files", "message", "file"}. `room` is how many more the appeal may hold.
    """
    if len(uploads) > room:
        raise InvalidInput(
            _("You can add up to %(count)d files.") % {"count": room}, code="too_many_files", field="files"
        )
    accepted, errors = [], []
    for upload in uploads:
        shown = shown_name(upload.name or "")
        try:
            accepted.append(_checked(upload, shown))
        except _Refused as refused:
            label = shown or _("a file without a name")
            errors.append({"field": "files", "file": label, "message": f"{label}: {refused}"})
    if errors:
        raise InvalidInput(_("Some files cannot be taken."), code="bad_file", errors=errors)
    return accepted


def shown_name(name: str) -> str:
    """A name without what could mislead a reader: control and direction characters, and surplus blanks."""
    clean = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name)
    return " ".join(clean.split())[:LONGEST_NAME]


def _checked(upload: Upload, shown: str) -> Accepted:
    extension = _extension(upload.name or "")
    upload.seek(0)
    content = upload.read(MAX_BYTES + 1)
    if not content:
        raise _Refused(_("the file is empty."))
    if len(content) > MAX_BYTES:
        raise _Refused(_("larger than %(limit)s.") % {"limit": filesizeformat(MAX_BYTES)})
    content_type, structure = KINDS[extension]
    if not structure(content) or (extension != "txt" and content_type not in _sniffed(content)):
        raise _Refused(_("the content is not a proper %(kind)s file.") % {"kind": extension.upper()})
    if extension != "mp4" and MARKUP.search(content):
        raise _Refused(_("contains a web page or program code."))
    if b"PK\x05\x06" in content[-ARCHIVE_TAIL:]:
        raise _Refused(_("contains an archive."))
    if extension == "pdf" and PDF_ACTIVE.search(content):
        raise _Refused(_("contains scripts or embedded files. Print it to a new PDF and add that."))
    return Accepted(shown, content_type, content, hashlib.sha256(content).hexdigest())


def _extension(name: str) -> str:
    if not name.strip():
        raise _Refused(_("the file has no name."))
    if "/" in name or "\\" in name or any(unicodedata.category(char) == "Cc" for char in name):
        raise _Refused(_("the name holds characters that no file name may hold."))
    if len(name) > LONGEST_NAME:
        raise _Refused(_("the name is too long."))
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower()
    if not dot or not stem.strip(". ") or extension not in KINDS:
        raise _Refused(_("this type is not accepted. Use PDF, PNG, JPEG, WebP, TXT or MP4."))
    if RUNNABLE.intersection(part.strip() for part in stem.lower().split(".")[1:]):
        raise _Refused(_("the name pretends to be two types at once."))
    return extension


def _sniffed(content: bytes) -> set[str]:
    try:
        return {match.mime_type for match in puremagic.magic_string(content)}
    except (puremagic.PureError, ValueError):
        return set()


def _is_pdf(content: bytes) -> bool:
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-1024:]


def _is_png(content: bytes) -> bool:
    return content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"\0\0\0\0IEND\xaeB`\x82")


def _is_jpeg(content: bytes) -> bool:
    # Phones write data of their own behind the picture, so the end marker need not be the last bytes.
    return content.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in content


def _is_webp(content: bytes) -> bool:
    if len(content) < 16 or content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return False
    return int.from_bytes(content[4:8], "little") + 8 == len(content)


def _is_mp4(content: bytes) -> bool:
    """Boxes from the first byte to the last: `ftyp` in front and a `moov` among them."""
    at, found = 0, []
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        size = size or len(content) - at
        if size < 8 or at + size > len(content) or len(kind) < 4:
            return False
        found.append(kind)
        at += size
    return found[:1] == [b"ftyp"] and b"moov" in found


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not CONTROL.search(text) and not text.startswith(("#!", "%PDF", "%!", "{\\rtf"))


#: Extension → content type and the test of the structure.
KINDS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "pdf": ("application/pdf", _is_pdf),
    "png": ("image/png", _is_png),
    "jpg": ("image/jpeg", _is_jpeg),
    "jpeg": ("image/jpeg", _is_jpeg),
    "webp": ("image/webp", _is_webp),
    "txt": ("text/plain", _is_text),
    "mp4": ("video/mp4", _is_mp4),
}
