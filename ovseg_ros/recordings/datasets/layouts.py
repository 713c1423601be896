"""The layouts of the common datasets: where their images and label files are, and what the labels mean.

Folders and files are named as the datasets' own archives have them, or as their usual converters write them.
"""

from functools import partial
from pathlib import Path

from natsort import natsorted

from ovseg_ros.recordings.datasets.dataset import (
    Contents,
    Dataset,
    DatasetError,
    Item,
    Layout,
    choose_split,
    class_table,
    images_in,
    indexed,
    paired,
    read_color_labels,
    read_index_labels,
    subfolders,
)
from ovseg_ros.vocabulary import MAX_CLASSES, UNLABELLED_ID

# images/, labels/ and classes.txt: the layout of this package.


def _load_folders(root: Path, split: str | None) -> Contents:
    items = paired(images_in(root / "images"), root / "labels")
    classes = _read_classes(root)
    return items, classes, partial(read_index_labels, values=range(len(classes)))


def _read_classes(folder: Path) -> list[str]:
    """The names of classes.txt; none for a folder without labels."""
    if not (folder / "labels").is_dir():
        return []
    file = folder / "classes.txt"
    if not file.is_file():
        raise DatasetError(f"{folder} has labels/ but no classes.txt; expected a class name a line")
    names = [line.strip() for line in file.read_text(encoding="utf-8").rstrip().splitlines()]
    for number, name in enumerate(names, start=1):
        if not name:
            raise DatasetError(f"{file}: line {number} is blank; expected a class name")
        if name in names[: number - 1]:
            raise DatasetError(f"{file}: line {number} names {name!r} a second time")
    if not 1 <= len(names) <= MAX_CLASSES:
        raise DatasetError(f"{file} names {len(names)} classes; expected 1 to {MAX_CLASSES}")
    return names


# PASCAL VOC and PASCAL Context: both are in a VOC folder, and name the images of a split in a text file.

_VOC = ("VOC20*", "VOCdevkit/VOC20*")
_CONTEXT_FOLDERS = ("SegmentationClassContext", "59_context_labels")


def _has_context(root: Path) -> bool:
    return (root / "JPEGImages").is_dir() and any((root / name).is_dir() for name in _CONTEXT_FOLDERS)


def _lists(folder: Path) -> list[str]:
    return natsorted(p.stem for p in folder.glob("*.txt"))


def _listed(root: Path, lists: Path, split: str | None, labels: Path) -> list[Item]:
    """The images that the list of a split names; without lists those that have labels."""
    if split is None:
        names = natsorted(p.stem for p in labels.glob("*.png"))
    else:
        names = (lists / f"{split}.txt").read_text(encoding="utf-8").split()
    images = [root / "JPEGImages" / f"{name}.jpg" for name in names]
    if not images:
        raise DatasetError(f"{root}: there is no image in {split or labels.name}")
    if missing := next((image for image in images if not image.is_file()), None):
        raise DatasetError(f"{missing} is missing; {lists.name}/{split}.txt or {labels.name}/ names it")
    return paired(images, labels)


def _load_voc(root: Path, split: str | None) -> Contents:
    lists = root / "ImageSets" / "Segmentation"
    return _listed(root, lists, split, root / "SegmentationClass"), *indexed("pascal_voc")


def _load_context(root: Path, split: str | None) -> Contents:
    folder = next(name for name in _CONTEXT_FOLDERS if (root / name).is_dir())
    table = "pascal_context" if folder == "SegmentationClassContext" else "pascal_context_59"
    items = _listed(root, root / "ImageSets" / "SegmentationContext", split, root / folder)
    return items, *indexed(table, void=(0, UNLABELLED_ID))


# ADE20K as SceneParse150.


def _load_ade(root: Path, split: str | None) -> Contents:
    items = paired(images_in(root / "images" / str(split)), root / "annotations" / str(split))
    return items, *indexed("ade20k", void=(0, UNLABELLED_ID))


# Cityscapes.

_IMAGE_END = "_leftImg8bit"


def _load_cityscapes(root: Path, split: str | None) -> Contents:
    images = natsorted((root / "leftImg8bit" / str(split)).glob(f"*/*{_IMAGE_END}.png"), key=str)
    if not images:
        raise DatasetError(f"{root / 'leftImg8bit' / str(split)} holds no */*{_IMAGE_END}.png")
    folder = root / "gtFine" / str(split)
    stems = [f"{image.parent.name}/{image.stem.removesuffix(_IMAGE_END)}" for image in images]
    classes, reader = indexed("cityscapes", void=(*range(34), UNLABELLED_ID))
    labels = [folder / f"{stem}_gtFine_labelIds.png" for stem in stems]
    if not any(path.is_file() for path in labels):
        labels = [folder / f"{stem}_gtFine_labelTrainIds.png" for stem in stems]
        reader = partial(read_index_labels, values=range(len(classes)))
    items = [
        Item(image.stem.removesuffix(_IMAGE_END), image, path if path.is_file() else None)
        for image, path in zip(images, labels, strict=True)
    ]
    return items, classes, reader


# COCO-Stuff with the label images of stuffthingmaps.

_COCO_LABELS = ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations")
_TRAIN_IDS = "_labelTrainIds.png"


def _coco_labels(root: Path) -> Path | None:
    return next((root / n for n in _COCO_LABELS if _coco_splits_in(root / n)), None)


def _coco_splits_in(folder: Path) -> list[str]:
    return [name for name in subfolders(folder) if name.startswith(("train20", "val20"))]


def _coco_images(root: Path) -> Path:
    return root / "images" if (root / "images").is_dir() else root


def _is_coco(root: Path) -> bool:
    return _coco_labels(root) is not None and bool(_coco_splits_in(_coco_images(root)))


def _load_coco(root: Path, split: str | None) -> Contents:
    images = images_in(_coco_images(root) / str(split))
    labels = (_coco_labels(root) or root) / str(split)
    classes, reader = indexed("coco_stuff", void=(*range(182), UNLABELLED_ID))
    if any(labels.glob(f"*{_TRAIN_IDS}")):
        reader = partial(read_index_labels, values=range(len(classes)))
        return paired(images, labels, _TRAIN_IDS), classes, reader
    return paired(images, labels), classes, reader


# CamVid: the original with coloured labels, and SegNet's variant.

_CAMVID = ("CamVid", "camvid")
_SEGNET_END = "annot"
_SEGNET_VOID = 11


def _load_camvid(root: Path, split: str | None) -> Contents:
    items = paired(images_in(root / "701_StillsRaw_full"), root / "LabeledApproved_full", "_L.png")
    colors = class_table("camvid")
    return items, list(colors), partial(read_color_labels, colors=list(colors.values()))


def _segnet_splits(root: Path) -> list[str]:
    folders = subfolders(root)
    return [name for name in folders if f"{name}{_SEGNET_END}" in folders]


def _load_segnet(root: Path, split: str | None) -> Contents:
    items = paired(images_in(root / str(split)), root / f"{split}{_SEGNET_END}")
    return items, *indexed("camvid_segnet", void=(_SEGNET_VOID, UNLABELLED_ID))


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "pascal_voc",
            "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/",
            _VOC,
            lambda root: (root / "SegmentationClass").is_dir(),
            lambda root: _lists(root / "ImageSets" / "Segmentation"),
            _load_voc,
        ),
        Layout(
            "pascal_context",
            "JPEGImages/ and SegmentationClassContext/ or 59_context_labels/",
            _VOC,
            _has_context,
            lambda root: _lists(root / "ImageSets" / "SegmentationContext"),
            _load_context,
        ),
        Layout(
            "ade20k",
            "images/training/, images/validation/ and annotations/ of the same",
            ("ADEChallengeData2016",),
            lambda root: bool({"training", "validation"} & {*subfolders(root / "images")}),
            lambda root: subfolders(root / "images"),
            _load_ade,
        ),
        Layout(
            "cityscapes",
            "leftImg8bit/ and gtFine/ with train/, val/ and test/",
            ("cityscapes", "Cityscapes"),
            lambda root: (root / "leftImg8bit").is_dir(),
            lambda root: subfolders(root / "leftImg8bit"),
            _load_cityscapes,
        ),
        Layout(
            "coco_stuff",
            "images/train2017/, images/val2017/ and stuffthingmaps/ (or annotations/) of the same",
            ("coco*", "COCO*"),
            _is_coco,
            lambda root: _coco_splits_in(_coco_images(root)),
            _load_coco,
        ),
        Layout(
            "camvid",
            "701_StillsRaw_full/ and LabeledApproved_full/",
            _CAMVID,
            lambda root: (root / "701_StillsRaw_full").is_dir(),
            lambda root: [],
            _load_camvid,
        ),
        Layout(
            "camvid_segnet",
            "train/ and trainannot/, val/ and valannot/, test/ and testannot/",
            _CAMVID,
            lambda root: bool(_segnet_splits(root)),
            _segnet_splits,
            _load_segnet,
        ),
        Layout(
            "folders",
            "images/ and, for ground truth, labels/ and classes.txt",
            (),
            lambda root: (root / "images").is_dir() and not subfolders(root / "images"),
            lambda root: [],
            _load_folders,
        ),
    )
}
"""Every layout by its name."""


def recognise(folder: Path | str) -> list[str]:
    """The layouts that fit a folder; none where it is no dataset that is known."""
    return [layout.name for layout in LAYOUTS.values() if layout.root(Path(folder)) is not None]


def open_dataset(folder: Path | str, layout: str = "", split: str = "") -> Dataset:
    """The dataset in a folder: its layout is recognised unless named, of its splits that for validation is
    taken unless another is named.

    Raises DatasetError where the folder fits no layout, or several, or lacks something.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder")
    if layout and layout not in LAYOUTS:
        raise DatasetError(f"there is no layout {layout!r}; expected one of {', '.join(LAYOUTS)}")
    names = [layout] if layout else recognise(folder)
    if len(names) > 1:
        raise DatasetError(f"{folder} fits several layouts; choose one: --layout {' or '.join(names)}")
    chosen = LAYOUTS[names[0]] if names else None
    root = chosen.root(folder) if chosen else None
    if chosen is None or root is None:
        tried = [chosen] if chosen else LAYOUTS.values()
        listing = "\n".join(f"  {entry.name}: {entry.looked_for}" for entry in tried)
        raise DatasetError(f"{folder} is no dataset folder; looked for\n{listing}")
    name = choose_split(chosen, root, split)
    items, classes, read_label_file = chosen.load(root, name)
    return Dataset(root, chosen.name, name, tuple(classes), tuple(items), read_label_file)
