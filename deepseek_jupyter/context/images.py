"""Pictures as image parts: PIL images, those of IPython.display, and bytes of a file.

Each is encoded again, at most 2,048 pixels a side: what a camera or a program has added to the
picture (place, time, comments) stays here, and a larger one would cost as many tokens.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import SAMPLE, Policy
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import PER_IMAGE

from .attachment import Attachment, digest, made

_SIDE = 2_048  # pixels
_PNG = 3_000_000  # bytes; beyond it a JPEG is sent
LARGEST = 64 * 2**20  # bytes of a file
# Of one request (api-docs.deepseek.com/guides/vision); the body's 48 MiB hold the texts as well.
_COUNT, _BYTES, _URL = 600, 45 * 2**20, 8_192

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")


def fits(value: Any) -> bool:
    """Whether it is a PIL image or an `IPython.display.Image`."""
    pil = sys.modules.get("PIL.Image")
    return (pil is not None and isinstance(value, pil.Image)) or _shown(value)


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """A picture; below ``sample`` only that there is one. Raises `ParameterError`."""
    if not _shown(value):
        url, size = encoded(value)
        return _made(name, f"an image, {size}", url, policy, redactor)
    if value.data is not None:
        data = value.data.encode() if isinstance(value.data, str) else bytes(value.data)
        return picture(name, data, policy, redactor)
    url = str(value.url or "")
    if not url.startswith("https://") or len(url) > _URL:
        raise ParameterError(
            f"{name} is an image by its address, and only short https addresses can be sent.",
            "Attach the picture itself, with IPython.display.Image(..., embed=True).",
        )
    return _made(name, "an image at an address", url, policy, redactor)


def fingerprint(value: Any) -> str:
    """Of the picture as it would be sent."""
    if _shown(value):
        data = value.data if value.data is not None else value.url
        return digest(data if isinstance(data, str | bytes) else str(data))
    return digest(encoded(value)[0])


def picture(name: str, data: bytes, policy: Policy, redactor: Redactor) -> Attachment:
    """The attachment of an image file's bytes. Raises `ParameterError`."""
    url, size = encoded(opened(data, name))
    return _made(name, f"an image, {size}", url, policy, redactor, data)


def _made(
    name: str, head: str, url: str, policy: Policy, redactor: Redactor, data: bytes | None = None
) -> Attachment:
    seen = (url,) if policy.whole >= SAMPLE else ()
    body = "" if seen else "The data policy keeps the picture back."
    hash = digest(url if data is None else data)
    return made(name, "image", head, body, policy, redactor, hash=hash, images=seen)


def encoded(image: Any) -> tuple[str, str]:
    """A PIL image as a ``data:`` URL, and its size in words."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    size = f"{image.width} x {image.height} pixels"
    if image.mode not in ("RGB", "RGBA", "L", "LA", "1"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    else:
        image = image.copy()
    image.info = {}
    image.thumbnail((_SIDE, _SIDE))
    buffer, kind = io.BytesIO(), "png"
    image.save(buffer, "PNG")
    if buffer.tell() > _PNG:
        buffer, kind = io.BytesIO(), "jpeg"
        image.convert("RGB").save(buffer, "JPEG", quality=85)
    return data_url(buffer.getvalue(), kind), size


def data_url(data: bytes, kind: str) -> str:
    """A ``data:`` URL of an image of this kind (png, jpeg)."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def opened(data: bytes, name: str) -> Any:
    """The PIL image in a file's bytes. Raises `ParameterError`."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ParameterError(
            f"{name} cannot be attached without Pillow.", "%pip install pillow brings it."
        ) from None
    if len(data) > LARGEST:
        raise ParameterError(
            f"{name} is an image of {len(data):,} bytes; the limit is {LARGEST:,}.",
            "Attach a smaller one.",
        )
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise ParameterError(
            f"{name} is not an image that can be read: {error}".replace("\n", " "),
            "PNG, JPEG, GIF and WebP can be.",
        ) from None
    return image


def _shown(value: Any) -> bool:
    kind = getattr(sys.modules.get("IPython.core.display"), "Image", None)
    return kind is not None and isinstance(value, kind)


def for_model(attachment: Attachment, model: str, *, sees: bool) -> Attachment:
    """The attachment as `model` can take it.

    Where the model sees no images, what is an image only is refused with `ParameterError`; of a
    figure or another thing with a text the text stays, and says so.
    """
    if sees or not attachment.images:
        return attachment
    if attachment.kind == "image":
        raise ParameterError(
            f"{attachment.name} is an image, and {model} is not known to see images.",
            "Use a model that does (-m deepseek-flash -p deepseek), or name yours in "
            "%config DeepSeek.providers = {'PROVIDER': {'vision': ['MODEL*']}}.",
        )
    return replace(
        attachment,
        images=(),
        text=f"{attachment.text}\n(Its picture was not sent: {model} sees no images.)",
        tokens=attachment.tokens - PER_IMAGE * len(attachment.images) + 15,
    )


def check_images(urls: Iterable[str]) -> None:
    """Raise `ParameterError` when one request cannot hold all these images."""
    count = size = 0
    for url in urls:
        count, size = count + 1, size + len(url)
    if count > _COUNT:
        raise ParameterError(
            f"The conversation holds {count:,} images; a request takes {_COUNT}.",
            "Start a new conversation with --new, or ask with --no-history.",
        )
    if size > _BYTES:
        raise ParameterError(
            f"The images take {size / 2**20:.0f} MiB; a request takes {_BYTES // 2**20}.",
            "Attach fewer or smaller ones, start a new conversation with --new, or ask with "
            "--no-history.",
        )
