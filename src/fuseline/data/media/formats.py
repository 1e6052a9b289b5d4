"""Which formats of pictures, sounds and videos are read, and how their files' names end.

The one list: what decodes, what tells a name that lies, and what `init` takes for a medium.
"""

from __future__ import annotations

# By Pillow's names. Raster formats only: Pillow hands some of the others (EPS) to outside programs.
# MPO is a JPEG of several pictures.
PICTURES = {
    "PNG": ("png", "apng"),
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "MPO": ("jpg", "jpeg", "jpe", "mpo"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "PPM": ("ppm", "pgm", "pbm", "pnm", "pfm"),
}
# By container, as `containers.container_of` tells it: of files with sound alone, and of films.
SOUNDS = {
    "wav": ("wav", "wave"),
    "flac": ("flac",),
    "mp3": ("mp3",),
    "ogg": ("ogg", "oga", "opus"),
    "aiff": ("aiff", "aif", "aifc"),
    "au": ("au", "snd"),
    "caf": ("caf",),
    "aac": ("aac", "adts"),
    "mp4": ("m4a", "m4b"),
    "matroska": ("mka", "weba"),
}
VIDEOS = {
    "mp4": ("mp4", "m4v", "mov", "qt", "3gp", "3g2"),
    "matroska": ("mkv", "webm"),
    "avi": ("avi",),
    "ogg": ("ogv", "ogx"),
    "mpegts": ("ts", "mts", "m2ts"),
}

# What people have too and no decoder here reads, by medium.
UNREAD = {
    "image": ("heic", "heif", "avif", "jxl", "jp2", "svg", "psd", "dng", "cr2", "nef", "arw"),
    "audio": ("wma", "amr", "ape", "wv", "ac3", "mid", "midi", "ra", "dsf"),
    "video": ("wmv", "flv", "mpg", "mpeg", "vob", "asf", "rm"),
}


def picture_endings(kind: str) -> tuple[str, ...]:
    """Endings, with their dots, that tell the truth about a picture of one of Pillow's formats."""
    return _dotted(PICTURES[kind])


def container_endings(container: str) -> tuple[str, ...]:
    """Endings, with their dots, that tell the truth about a sound or a film."""
    return _dotted((*SOUNDS.get(container, ()), *VIDEOS.get(container, ())))


def endings_of_medium(medium: str) -> tuple[str, ...]:
    """Endings, without dots, of all that is read of `image`, `audio` or `video`."""
    tables = {"image": PICTURES, "audio": SOUNDS, "video": VIDEOS}
    every = (ending for endings in tables[medium].values() for ending in endings)
    return tuple(dict.fromkeys(every))


def _dotted(endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f".{ending}" for ending in endings)
