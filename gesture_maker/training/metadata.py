"""What MediaPipe's metadata writers attach to a TFLite file, the same each time."""

from __future__ import annotations

import io
import struct
import zipfile


def without_time_stamps(model: bytes) -> bytes:
    """Return a TFLite file whose attached files (a zip at its end) are dated 1980-01-01, the earliest a zip can say."""
    content = bytearray(model)
    earliest = struct.pack("<HH", 0, (1 << 5) | 1)  # time 00:00:00, date year 0, month 1, day 1
    with zipfile.ZipFile(io.BytesIO(model)) as attached:
        position = attached.start_dir
        for entry in attached.infolist():
            content[entry.header_offset + 10 : entry.header_offset + 14] = earliest
            content[position + 12 : position + 16] = earliest
            name, extra, comment = struct.unpack_from("<HHH", content, position + 28)
            position += 46 + name + extra + comment
    return bytes(content)
