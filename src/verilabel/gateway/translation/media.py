"""Media that travel inside requests: data URLs, and which kinds a provider reads."""

from __future__ import annotations

from verilabel.gateway.translation.conversation import Media
from verilabel.gateway.translation.interface import Untranslatable

PDF = "application/pdf"
AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def read_image(url: str, where: str, detail: str = "") -> Media:
    """An image of an OpenAI request, from a data URL or an address. Raises Untranslatable."""
    if url[:5].lower() != "data:":
        return Media(kind="image", url=url, where=where, detail=detail)
    media_type, data = split_data_url(url, where)
    return Media(kind="image", media_type=media_type, data=data, where=where, detail=detail)


def split_data_url(url: str, where: str) -> tuple[str, str]:
    """Media type and base64 text of a data URL (RFC 2397). Raises Untranslatable for all others."""
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if url[:5].lower() != "data:" or not comma or "base64" not in parameters or not media_type:
        raise Untranslatable("this is not a base64 data URL with a media type", where=where)
    return media_type.strip().lower(), data


def write_data_url(media: Media) -> str:
    """The data URL of media, or the address they have."""
    return media.url or f"data:{media.media_type};base64,{media.data}"
