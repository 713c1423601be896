"""Every layout, as a tiny folder: recognised, its parts, its images and its labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.datasets.dataset import DatasetError
from ovseg_ros.recordings.datasets.layouts import LAYOUTS, open_dataset, recognise
from ovseg_ros.recordings.file_sources import read_image
from ovseg_ros.recordings.writer import make_bag


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((2, 4, 3), 90, np.uint8)).save(path)


def labels(path: Path, values: list, palette: bool = False) -> None:
    """A label image of two equal rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.array([values, values], np.uint8))
    if palette:
        picture = Image.frombytes("P", picture.size, picture.tobytes())
        picture.putpalette([value % 256 for value in range(768)])
    picture.save(path)


def listing(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def make_voc(root: Path) -> None:
    for name in ("2007_000032", "2007_000033", "2007_000039"):
        image(root / f"JPEGImages/{name}.jpg")
    labels(root / "SegmentationClass/2007_000032.png", [0, 1, 20, 255], palette=True)
    listing(root / "ImageSets/Segmentation/train.txt", ["2007_000039", "2007_000033"])
    listing(root / "ImageSets/Segmentation/val.txt", ["2007_000032"])


def make_context(root: Path, folder: str = "SegmentationClassContext", lists: bool = True) -> None:
    image(root / "JPEGImages/2008_000002.jpg")
    labels(root / f"{folder}/2008_000002.png", [0, 1, 2, 59])
    if lists:
        listing(root / "ImageSets/SegmentationContext/val.txt", ["2008_000002"])


def make_ade(root: Path) -> None:
    for part, name in (("validation", "ADE_val_00000001"), ("training", "ADE_train_00000001")):
        image(root / f"images/{part}/{name}.jpg")
        labels(root / f"annotations/{part}/{name}.png", [0, 1, 13, 150])


def make_cityscapes(root: Path, kinds: tuple[str, ...] = ("labelIds", "labelTrainIds")) -> None:
    values = {"labelIds": [0, 7, 33, 4], "labelTrainIds": [255, 0, 18, 255]}
    for part, city in (("val", "frankfurt"), ("val", "munster"), ("train", "aachen")):
        stem = f"{city}_000000_000019"
        image(root / f"leftImg8bit/{part}/{city}/{stem}_leftImg8bit.png")
        for kind in kinds:
            labels(root / f"gtFine/{part}/{city}/{stem}_gtFine_{kind}.png", values[kind])


def make_coco(root: Path, folder: str = "stuffthingmaps", end: str = ".png") -> None:
    values = [255, 0, 181, 91] if end == ".png" else [255, 0, 170, 80]
    for part in ("train2017", "val2017"):
        image(root / f"images/{part}/000000000139.jpg")
        labels(root / f"{folder}/{part}/000000000139{end}", values)


def make_camvid(root: Path) -> None:
    image(root / "701_StillsRaw_full/0001TP_006690.png")
    labels(
        root / "LabeledApproved_full/0001TP_006690_L.png",
        [[0, 0, 0], [64, 128, 64], [64, 192, 0], [128, 64, 128]],
    )


def make_segnet(root: Path) -> None:
    for part in ("train", "val", "test"):
        image(root / f"{part}/0016E5_07959.png")
        labels(root / f"{part}annot/0016E5_07959.png", [11, 0, 10, 3])


CASES = {
    "pascal_voc": (make_voc, "val", [1, 2, 21, 255], ("background", "aeroplane", "tvmonitor")),
    "pascal_context": (make_context, "val", [255, 1, 2, 59], ("aeroplane", "bag", "wood")),
    "ade20k": (make_ade, "validation", [255, 1, 13, 150], ("wall", "person", "flag")),
    "cityscapes": (make_cityscapes, "val", [255, 1, 19, 255], ("road", "bicycle")),
    "coco_stuff": (make_coco, "val2017", [255, 1, 171, 81], ("person", "wood", "banner")),
    "camvid": (make_camvid, None, [255, 1, 31, 18], ("Animal", "Wall", "Road")),
    "camvid_segnet": (make_segnet, "val", [255, 1, 11, 4], ("sky", "bicyclist", "road")),
}


@pytest.mark.parametrize("layout", CASES)
def test_a_folder_as_it_is_distributed(tmp_path: Path, layout: str) -> None:
    make, split, ids, names = CASES[layout]
    make(tmp_path)
    assert recognise(tmp_path) == [layout]
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.split) == (layout, split)
    item = dataset.items[0]
    assert read_image(item.image).shape == (2, 4, 3)
    assert dataset.read_labels(item).tolist() == [ids, ids]
    named = [dataset.legend.names[number] for number in ids if number != 255]
    assert [name for name in named if name in names] == list(names)


@pytest.mark.parametrize("layout", CASES)
def test_a_bag_of_it(tmp_path: Path, layout: str) -> None:
    make, split, ids, _ = CASES[layout]
    make(tmp_path / "set")
    summary = make_bag(tmp_path / "set", tmp_path / "bag")
    assert (summary.layout, summary.split) == (layout, split)
    assert summary.frames == summary.labelled >= 1
    with Bag(tmp_path / "bag") as bag:
        message = next(bag.messages(["/ground_truth/labels"]))
        assert bag.decode_labels(message, bag.label_map()).tolist() == [ids, ids]
        assert bag.label_map().names == dict(enumerate(summary.classes, start=1))


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (make_voc, "VOCdevkit/VOC2012"),
        (make_voc, "VOC2012"),
        (make_context, "VOCdevkit/VOC2010"),
        (make_ade, "ADEChallengeData2016"),
        (make_cityscapes, "cityscapes"),
        (make_coco, "coco_stuff164k"),
        (make_camvid, "CamVid"),
        (make_segnet, "CamVid"),
    ],
)
def test_the_folder_above_will_do(tmp_path: Path, make: Callable[[Path], None], place: str) -> None:
    make(tmp_path / place)
    assert open_dataset(tmp_path).folder == tmp_path / place


class TestSplits:
    @pytest.mark.parametrize(
        ("make", "given", "split"),
        [
            (make_voc, "train", "train"),
            (make_ade, "val", "validation"),
            (make_ade, "training", "training"),
            (make_coco, "train", "train2017"),
            (make_cityscapes, "train", "train"),
            (make_segnet, "test", "test"),
        ],
    )
    def test_by_name_or_its_beginning(
        self, tmp_path: Path, make: Callable[[Path], None], given: str, split: str
    ) -> None:
        make(tmp_path)
        assert open_dataset(tmp_path, split=given).split == split

    def test_voc_keeps_the_order_of_its_list(self, tmp_path: Path) -> None:
        make_voc(tmp_path)
        items = open_dataset(tmp_path, split="train").items
        assert [(item.name, item.labels) for item in items] == [("2007_000039", None), ("2007_000033", None)]

    @pytest.mark.parametrize(
        ("make", "problem"),
        [(make_voc, "no split 'night'; it has train, val"), (make_camvid, "this layout has no splits")],
    )
    def test_one_that_is_not_there(self, tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
        make(tmp_path)
        with pytest.raises(DatasetError, match=problem):
            open_dataset(tmp_path, split="night")


class TestVariants:
    def test_context_as_its_authors_label_images(self, tmp_path: Path) -> None:
        make_context(tmp_path, "59_context_labels", lists=False)
        dataset = open_dataset(tmp_path)
        assert (dataset.layout, dataset.split) == ("pascal_context", None)
        assert dataset.legend.names[2] == "bicycle"

    def test_cityscapes_with_train_ids_alone(self, tmp_path: Path) -> None:
        make_cityscapes(tmp_path, ("labelTrainIds",))
        dataset = open_dataset(tmp_path)
        assert [item.name for item in dataset.items] == ["frankfurt_000000_000019", "munster_000000_000019"]
        assert dataset.read_labels(dataset.items[0])[0].tolist() == [255, 1, 19, 255]

    @pytest.mark.parametrize("folder", ["annotations", "stuffthingmaps_trainval2017"])
    def test_coco_with_labels_elsewhere(self, tmp_path: Path, folder: str) -> None:
        make_coco(tmp_path, folder)
        dataset = open_dataset(tmp_path)
        assert dataset.read_labels(dataset.items[0])[0].tolist() == [255, 1, 171, 81]

    def test_coco_converted_to_train_ids(self, tmp_path: Path) -> None:
        make_coco(tmp_path, "annotations", "_labelTrainIds.png")
        dataset = open_dataset(tmp_path)
        assert dataset.read_labels(dataset.items[0])[0].tolist() == [255, 1, 171, 81]

    def test_voc_and_context_in_one_folder_ask_for_a_choice(self, tmp_path: Path) -> None:
        make_voc(tmp_path)
        make_context(tmp_path)
        with pytest.raises(DatasetError, match="choose one: --layout pascal_voc or pascal_context"):
            open_dataset(tmp_path)
        assert len(open_dataset(tmp_path, "pascal_context").legend.names) == 59

    def test_two_years_of_voc_ask_for_a_choice(self, tmp_path: Path) -> None:
        make_voc(tmp_path / "VOC2007")
        make_voc(tmp_path / "VOC2012")
        with pytest.raises(DatasetError, match="several datasets; name one of VOC2007, VOC2012"):
            open_dataset(tmp_path)


class TestWrongFolders:
    def test_no_layout_fits(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            open_dataset(tmp_path)
        assert "is no dataset folder; looked for" in str(caught.value)
        for layout in LAYOUTS.values():
            assert f"{layout.name}: {layout.looked_for}" in str(caught.value)

    def test_the_named_layout_does_not_fit(self, tmp_path: Path) -> None:
        make_ade(tmp_path)
        with pytest.raises(DatasetError, match=r"looked for\n  cityscapes: leftImg8bit/") as caught:
            open_dataset(tmp_path, "cityscapes")
        assert "ade20k" not in str(caught.value)

    def test_an_unknown_layout(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="no layout 'kitti'; expected one of pascal_voc, "):
            open_dataset(tmp_path, "kitti")

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="absent is no folder"):
            open_dataset(tmp_path / "absent")

    def test_an_image_that_a_list_names_is_missing(self, tmp_path: Path) -> None:
        make_voc(tmp_path)
        (tmp_path / "JPEGImages/2007_000033.jpg").unlink()
        with pytest.raises(
            DatasetError, match=r"2007_000033\.jpg is missing; ImageSets/Segmentation/train\.txt"
        ):
            open_dataset(tmp_path, split="train")

    def test_an_empty_part(self, tmp_path: Path) -> None:
        make_ade(tmp_path)
        next((tmp_path / "images/validation").iterdir()).unlink()
        with pytest.raises(DatasetError, match=r"validation holds no \.jpg or \.png file"):
            open_dataset(tmp_path)

    def test_a_label_of_no_class(self, tmp_path: Path) -> None:
        make_segnet(tmp_path)
        labels(tmp_path / "valannot/0016E5_07959.png", [12, 0, 0, 0])
        dataset = open_dataset(tmp_path)
        with pytest.raises(
            DatasetError, match=r"the value 12, .* the 11 classes have 0 to 10, void has 11, 255"
        ):
            dataset.read_labels(dataset.items[0])
