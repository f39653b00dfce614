"""Files of a folder by name, found again under the many ways in which lists and tables write a name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from afa_viz.data.text_files import one_form

PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def find_files(
    folder: Path | None, endings: Sequence[str] = PHOTOGRAPHS, deep: bool = False, without: Sequence[Path] = ()
) -> dict[str, Path]:
    """Files of a folder by name without ending; two that differ in nothing else keep theirs: "a.jpg" and "a.png".

    Args:
        deep: look into subfolders too; a name is then a path with forward slashes.
        without: folders that are left out.
    Returns: sorted by name, names in Unicode form NFC.
    Raises: ValueError: for two files whose names are the same text in two Unicode forms.
    """
    by_name: dict[str, list[Path]] = {}
    for path in _walk(folder, set(without)) if folder and deep else _entries(folder):
        if path.suffix.lower() in endings and not path.name.startswith("."):
            name = one_form(str(PurePosixPath(path.relative_to(folder)).with_suffix("")))  # type: ignore[arg-type]
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


def _walk(folder: Path, without: set[Path]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if Path(place, name) not in without and not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names))


def stem_of(name: str) -> str:
    """A name without the ending of a photograph, with forward slashes, in Unicode form NFC."""
    name = one_form(name.strip()).replace("\\", "/").removeprefix("./")
    return name.rsplit(".", 1)[0] if name.lower().endswith(PHOTOGRAPHS) else name


class FileIndex:
    """Names of files, and which of them is meant by a name in a list or a table.

    Args:
        files: file by name, as `find_files` gives them.
        same_ending: a name with the ending of a photograph means files with that ending alone.
    """

    def __init__(self, files: Mapping[str, Path], same_ending: bool = False) -> None:
        self.files, self.same_ending = files, same_ending
        self._stems: dict[str, list[str]] = {}
        self._last: dict[str, list[str]] = {}
        for name, path in files.items():
            stem = name.removesuffix(path.suffix)
            self._stems.setdefault(stem, []).append(name)
            self._last.setdefault(stem.rsplit("/", 1)[-1], []).append(name)

    def find(self, written: str) -> str | None:
        """The name that is meant: a path with or without ending, from any folder above or below, or its last part.

        Raises: ValueError: if several files fit equally well.
        """
        plain = one_form(written.strip()).replace("\\", "/").removeprefix("./")
        stem = stem_of(plain)
        strict = self.same_ending and stem != plain
        while True:
            if plain in self.files and not strict:
                return plain
            exact = [name for name in self._stems.get(stem, ()) if self._written(name) == plain]
            if fits := exact or ([] if strict else self._stems.get(stem, [])):
                return self._only(written, fits)
            if "/" not in plain:
                break
            plain, stem = plain.split("/", 1)[1], stem.split("/", 1)[-1]
        wanted = one_form(written.strip()).replace("\\", "/").removeprefix("./").lstrip("/")
        fits = [name for name in self._last.get(stem, ()) if self._ends_with(name, wanted)]
        exact = [name for name in fits if self._ends_with(name, wanted, ending=True)]
        return self._only(written, exact or ([] if strict else fits))

    def _ends_with(self, name: str, wanted: str, ending: bool = False) -> bool:
        """Whether the last folders and the last part of a name are those that are written."""
        own = self._written(name) if ending else name.removesuffix(self.files[name].suffix)
        return f"/{own}".endswith(f"/{wanted if ending else stem_of(wanted)}")

    def _written(self, name: str) -> str:
        """A name with its ending."""
        ending = self.files[name].suffix
        return name if name.endswith(ending) else name + ending

    @staticmethod
    def _only(written: str, fits: Sequence[str]) -> str | None:
        if len(fits) > 1:
            raise ValueError(
                f"{written!r} may be {' or '.join(fits[:3])}; expected the name of one file: write its path with its "
                "ending."
            )
        return fits[0] if fits else None
