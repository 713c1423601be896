"""The layouts of the common datasets: where their images and label files are, and what the labels mean.

Folders and files are named as the datasets' own archives have them, or as their usual converters write them.
"""

from pathlib import Path

from ovseg_ros.recordings.datasets.dataset import Dataset, DatasetError
from ovseg_ros.recordings.datasets.layout import Layout
from ovseg_ros.recordings.datasets.legends import own_legend, shipped_legend

_VOC = ("VOC20*", "VOCdevkit/VOC20*")
_CAMVID = ("CamVid", "camvid")

LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "pascal_voc",
            images=("JPEGImages/{name}",),
            labels={"SegmentationClass/{name}.png": "pascal_voc"},
            lists="ImageSets/Segmentation/{split}.txt",
            places=_VOC,
        ),
        Layout(
            "pascal_context",
            images=("JPEGImages/{name}",),
            labels={
                "SegmentationClassContext/{name}.png": "pascal_context",
                "59_context_labels/{name}.png": "pascal_context_59",
            },
            lists="ImageSets/SegmentationContext/{split}.txt",
            places=_VOC,
        ),
        Layout(
            "ade20k",
            images=("images/{split}/{name}",),
            labels={"annotations/{split}/{name}.png": "ade20k"},
            splits=("training", "validation"),
            images_alone=True,
            places=("ADEChallengeData2016",),
        ),
        Layout(
            "cityscapes",
            images=("leftImg8bit/{split}/{group}/{name}_leftImg8bit",),
            labels={
                "gtFine/{split}/{group}/{name}_gtFine_labelIds.png": "cityscapes",
                "gtFine/{split}/{group}/{name}_gtFine_labelTrainIds.png": "cityscapes_train_ids",
            },
            images_alone=True,
            places=("cityscapes", "Cityscapes"),
        ),
        Layout(
            "coco_stuff",
            images=("images/{split}/{name}", "{split}/{name}"),
            labels={
                f"{folder}/{{split}}/{{name}}{end}": table
                for folder in ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations")
                for end, table in (("_labelTrainIds.png", "coco_stuff_train_ids"), (".png", "coco_stuff"))
            },
            splits=("train20*", "val20*"),
            places=("coco*", "COCO*"),
        ),
        Layout(
            "camvid",
            images=("701_StillsRaw_full/{name}",),
            labels={"LabeledApproved_full/{name}_L.png": "camvid"},
            images_alone=True,
            places=_CAMVID,
        ),
        Layout(
            "camvid_segnet",
            images=("{split}/{name}",),
            labels={"{split}annot/{name}.png": "camvid_segnet"},
            places=_CAMVID,
        ),
        Layout(
            "folders",
            images=("images/{name}",),
            labels={"labels/{name}.png": ""},
            images_alone=True,
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
    name = chosen.choose_split(root, split)
    items, pattern = chosen.items(root, name)
    table = chosen.labels.get(pattern) or next(iter(chosen.labels.values()))
    legend = shipped_legend(table) if table else own_legend(root, labelled=bool(pattern))
    return Dataset(root, chosen.name, name, tuple(items), legend)
