"""Where things lie in an own folder: images, masks, the file of labels, lists of splits, and what none of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from afa_viz.data.class_lists import CLASS_FILES
from afa_viz.data.file_index import IMAGE_EXTENSIONS, FileIndex, find_files
from afa_viz.data.masks import MASK_EXTENSIONS
from afa_viz.data.onehot import ONEHOT_FILES
from afa_viz.data.text_files import format_count, format_list, read_lines

IMAGES = ("images", "JPEGImages", "imgs", "img")
MASKS = ("masks", "mask", "SegmentationClass", "SegmentationClassPNG", "SegmentationClassAug", "gt", "ground_truth")
MASK_FOLDER_PREFIXES = (
    "SegmentationClass",
    "SegmentationObject",
)  # begin the names of folders that hold no photographs
LABEL_FILES = ("labels.csv", "labels.tsv", "labels.json", "labels.jsonl", "labels.txt")
LISTS = ("ImageSets/Segmentation", "splits", "")
SPLITS = ("train", "val", "valid", "validation", "test", "trainval", "train_aug", "all")
VAL_NAMES = ("val", "valid", "validation")
MASK_SUFFIX = "_mask"  # that some programs put behind the name of the image


def image_folder(root: Path) -> Path:
    """Where the images lie: one of the usual folders, or the root."""
    return next((root / name for name in IMAGES if (root / name).is_dir()), root)


def mask_folders(root: Path) -> list[Path]:
    """Folders that may hold masks; the first one with a mask is used."""
    return [root / name for name in MASKS if (root / name).is_dir()]


def images_of(root: Path) -> FileIndex:
    """The images of a folder by their path in it; masks are none of them."""
    without = [
        *mask_folders(root),
        *(p for p in root.glob("*") if p.is_dir() and p.name.startswith(MASK_FOLDER_PREFIXES)),
    ]
    return FileIndex(find_files(image_folder(root), IMAGE_EXTENSIONS, recursive=True, exclude=without))


def masks_of(root: Path, images: FileIndex, notes: list[str]) -> tuple[Path | None, dict[str, Path]]:
    """The folder of masks, and the mask of each image that has one: of the same path or, where that is enough, name.

    Masks that belong to no image, and other files there, are noted.
    """
    folders = mask_folders(root)
    folder = next((place for place in folders if find_files(place, MASK_EXTENSIONS, recursive=True)), None)
    if folder is None:
        return (folders[0] if folders else None), {}
    files = find_files(folder, MASK_EXTENSIONS, recursive=True)
    by_image = _match_masks(images, files)
    used = set(by_image.values())
    rest = [str(path.relative_to(folder)) for path in files.values() if path not in used]
    if rest:
        notes.append(
            f"{format_count(len(rest), 'mask')} in {folder.name} without an image of that name: {format_list(rest)}"
        )
    note_other_files(folder, MASK_EXTENSIONS, notes)
    return folder, by_image


def note_other_files(folder: Path, extensions: Sequence[str], notes: list[str]) -> None:
    """A note that names files of other endings."""
    others = sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix.lower() not in extensions
                    and not path.name.startswith("."))  # fmt: skip
    if others:
        verb = "are" if len(others) > 1 else "is"
        notes.append(f"{format_count(len(others), 'file')} in {folder.name} {verb} not read: {format_list(others)}")


def _match_masks(images: FileIndex, files: Mapping[str, Path]) -> dict[str, Path]:
    """Mask by name of the image."""
    stems = {name: name.removesuffix(path.suffix) for name, path in images.files.items()}
    count: dict[str, int] = {}
    for stem in stems.values():
        for key in {stem, stem.rsplit("/", 1)[-1]}:
            count[key] = count.get(key, 0) + 1
    last: dict[str, list[Path]] = {}
    for name, path in files.items():
        last.setdefault(name.rsplit("/", 1)[-1], []).append(path)
    found: dict[str, Path] = {}
    for name, stem in stems.items():
        for spelling in (stem, stem + MASK_SUFFIX):
            short = spelling.rsplit("/", 1)[-1]
            if spelling in files and count[stem] == 1:
                found[name] = files[spelling]
            elif len(last.get(short, ())) == 1 and count[stem.rsplit("/", 1)[-1]] == 1:
                found[name] = last[short][0]
            if name in found:
                break
    return found


def label_files(root: Path, is_image: Callable[[str], bool]) -> list[Path]:
    """Files of labels, the one that is used first; labels.txt may also be a list of classes, as labelme has it."""
    found = [root / name for name in LABEL_FILES if (root / name).is_file()]
    return [path for path in found if path.suffix != ".txt" or _names_images(path, is_image)]


def _names_images(path: Path, is_image: Callable[[str], bool]) -> bool:
    """Whether at least half of a text's lines begin with the name of an image."""
    try:
        lines = read_lines(path)
    except ValueError:
        return False
    hits = sum(is_image(line) or is_image(line.replace(",", " ").replace(";", " ").split()[0]) for line in lines
               if line.strip(",; "))  # fmt: skip
    return 2 * hits >= len(lines)


def split_lists(root: Path, is_image: Callable[[str], bool]) -> dict[str, Path]:
    """List files by name of the split; a text in the folder itself is one if it is called so or names images."""
    found: dict[str, Path] = {}
    for place in LISTS:
        for path in sorted((root / place).glob("*.txt")):
            if place or path.stem in SPLITS or (path.name not in (*CLASS_FILES, *LABEL_FILES) and
                                               _names_images(path, is_image)):  # fmt: skip
                found.setdefault(path.stem, path)
    return found


def split_folders(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of the images by the folder train, val or test that they all lie in; empty if one lies elsewhere."""
    found: dict[str, list[str]] = {}
    for name in names:
        first, slash, _ = name.partition("/")
        if not slash or first not in SPLITS:
            return {}
        found.setdefault(first, []).append(name)
    return found


def class_of_folder(name: str) -> str | None:
    """The folder of an image that names its class: the first one, behind train, val or test; None without one."""
    parts = name.split("/")
    parts = parts[1:] if parts[0] in SPLITS else parts
    return parts[0] if len(parts) > 1 else None


def unused_entries(root: Path, images: FileIndex, used: Sequence[Path | None]) -> list[str]:
    """Files and folders of an own set that nothing reads."""
    taken = {path for path in used if path is not None} | {path.parent for path in images.files.values()}
    known = {*ONEHOT_FILES, *CLASS_FILES, *LABEL_FILES, "splits", "ImageSets"}
    rest = []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path in taken or path.name in known:
            continue
        if path.is_dir() and any(place == path or path in place.parents for place in taken):
            continue
        if not (path.suffix.lower() in IMAGE_EXTENSIONS and root in taken):
            rest.append(path.name + ("/" if path.is_dir() else ""))
    return rest
