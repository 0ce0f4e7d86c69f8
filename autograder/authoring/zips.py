"""Zips whose bytes depend on their content alone."""

import io
import zipfile

from outputs import MARK

ZIP_DATE = (2026, 1, 1, 0, 0, 0)


def zipped(files, executable=()):
    """A zip of {path: content}; the same content makes the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = MARK.encode()
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.external_attr = (0o755 if name in executable else 0o644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
