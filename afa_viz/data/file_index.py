"""Files of a folder by name, found under the many ways in which lists and tables write it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from afa_viz import image_files
from afa_viz.data.text_files import normalize_unicode

IMAGE_EXTENSIONS = image_files.EXTENSIONS


def find_files(
    folder: Path | None,
    extensions: Sequence[str] = IMAGE_EXTENSIONS,
    recursive: bool = False,
    exclude: Sequence[Path] = (),
) -> dict[str, Path]:
    """Files of a folder by name without extension; names that differ only in it keep theirs: "a.jpg" and "a.png".

    Args:
        recursive: search subfolders too, also behind links, each once; a name is then a path with forward slashes.
        exclude: folders to skip.
    Returns: sorted by name, names in Unicode form NFC.
    Raises: ValueError: for two files whose names are the same text in two Unicode forms.
    """
    by_name: dict[str, list[Path]] = {}
    for path in _walk(folder, set(exclude)) if folder and recursive else _entries(folder):
        if path.suffix.lower() in extensions and not path.name.startswith("."):
            name = normalize_unicode(str(PurePosixPath(path.relative_to(folder)).with_suffix("")))  # type: ignore[arg-type]
            by_name.setdefault(name, []).append(path)
    found: dict[str, Path] = {}
    for name, paths in by_name.items():
        for path in paths:
            key = name if len(paths) == 1 else name + path.suffix
            if key in found:
                raise ValueError(
                    f"{found[key]} and {path} have one name in two Unicode forms; expected one file: rename the other."
                )
            found[key] = path
    return dict(sorted(found.items()))


def _entries(folder: Path | None) -> Iterator[Path]:
    yield from sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ()


def _walk(folder: Path, exclude: set[Path]) -> Iterator[Path]:
    """Files of a folder and of those below it. A folder behind a link is entered once, under the name of the link; not
    if it is also reached without one, or if it holds `folder` itself."""
    root = os.path.realpath(folder)
    entered = {os.path.realpath(path) for path in exclude}
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            real = os.path.realpath(start)
            if real in entered or (start != folder and root.startswith(os.path.join(real, ""))):
                continue
            for place, folders, names in os.walk(start):
                entered.add(os.path.realpath(place))
                paths = [Path(place, name) for name in sorted(folders) if not name.startswith(".")]
                links += [path for path in paths if path.is_symlink()]
                real_ones = (path for path in paths if not path.is_symlink())
                folders[:] = [path.name for path in real_ones if os.path.realpath(path) not in entered]
                yield from (Path(place, name) for name in sorted(names))
        waiting = sorted(links)


def stem_of(name: str) -> str:
    """A name without image extension, with forward slashes, in Unicode form NFC."""
    name = normalize_unicode(name.strip()).replace("\\", "/").removeprefix("./")
    return name.rsplit(".", 1)[0] if name.lower().endswith(IMAGE_EXTENSIONS) else name


class FileIndex:
    """Resolves names in lists and tables to files.

    Args:
        files: file by name, as `find_files` gives them.
        match_extension: a name with an image extension matches only files with that extension.
    """

    def __init__(self, files: Mapping[str, Path], match_extension: bool = False) -> None:
        self.files, self.match_extension = files, match_extension
        self._stems: dict[str, list[str]] = {}
        self._last: dict[str, list[str]] = {}
        for name, path in files.items():
            stem = name.removesuffix(path.suffix)
            self._stems.setdefault(stem, []).append(name)
            self._last.setdefault(stem.rsplit("/", 1)[-1], []).append(name)

    def find(self, written: str) -> str | None:
        """The file name that a written name refers to: a path with or without extension, relative to any folder, or its
        last part.

        Raises: ValueError: if several files fit equally well.
        """
        plain = normalize_unicode(written.strip()).replace("\\", "/").removeprefix("./")
        stem = stem_of(plain)
        strict = self.match_extension and stem != plain
        while True:
            if plain in self.files and not strict:
                return plain
            exact = [name for name in self._stems.get(stem, ()) if self._with_extension(name) == plain]
            if fits := exact or ([] if strict else self._stems.get(stem, [])):
                return self._single_match(written, fits)
            if "/" not in plain:
                break
            plain, stem = plain.split("/", 1)[1], stem.split("/", 1)[-1]
        wanted = normalize_unicode(written.strip()).replace("\\", "/").removeprefix("./").lstrip("/")
        fits = [name for name in self._last.get(stem, ()) if self._ends_with(name, wanted)]
        exact = [name for name in fits if self._ends_with(name, wanted, ending=True)]
        return self._single_match(written, exact or ([] if strict else fits))

    def _ends_with(self, name: str, wanted: str, ending: bool = False) -> bool:
        """Whether a name ends with the written path."""
        own = self._with_extension(name) if ending else name.removesuffix(self.files[name].suffix)
        return f"/{own}".endswith(f"/{wanted if ending else stem_of(wanted)}")

    def _with_extension(self, name: str) -> str:
        """A name with its extension."""
        ending = self.files[name].suffix
        return name if name.endswith(ending) else name + ending

    @staticmethod
    def _single_match(written: str, fits: Sequence[str]) -> str | None:
        if len(fits) > 1:
            raise ValueError(
                f"{written!r} may be {' or '.join(fits[:3])}; expected the name of one file: write its path with its "
                "ending."
            )
        return fits[0] if fits else None
