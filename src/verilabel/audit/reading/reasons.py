"""Why a document was not read: the fixed phrases that stand in signed records, and nothing else does.

A phrase never holds text of a corpus, a path or a number.
"""

from __future__ import annotations

NOT_OBJECT = "not a JSON object"
NO_TEXT = "no text"
"""The column is missing in this line, or its value is null, or a list without texts."""
NOT_TEXT = "not text"
"""A number, a list or an object stands where the text should, or the bytes are not those of a text."""
TOO_LONG = "longer than the limit"
TOO_LARGE = "too large to parse"
"""A line within the limit that only a parser could read that would hold a multiple of it in memory."""
OTHER_WIDTH = "other number of fields than the header"
OPEN_QUOTE = "quote that is not closed"
NO_COLUMN = "no such column"
BROKEN_GZIP = "broken gzip member"
BROKEN_ZSTD = "broken zstd frame"
BROKEN_FOOTER = "broken Parquet footer"
BROKEN_PAGE = "broken Parquet page"
LARGE_PAGE = "Parquet page longer than the limit"
BROKEN_RECORD = "broken WARC record"
FORBIDDEN = "permission denied"
UNREADABLE = "cannot be read"
"""The disk or the network gave an error."""
NO_FILE = "not a file"
"""A pipe, a socket, a device, or a link that leads nowhere."""
OUTSIDE_LINK = "link out of the folder"
FOLDER_LINK = "link to a folder"
VERSION_STORE = "folder of version control"
UNLISTED = "folder that cannot be listed"
BAD_NAME = "name that is not UTF-8"
POINTER = "Git LFS pointer, not the file"

REASONS: frozenset[str] = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)
)
"""All of them; `Unread.reason` is one."""
