from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ovseg_ros.clipseg import (
    METHODS,
    Classifier,
    Coherence,
    Deep,
    EngineConfig,
    MethodConfig,
    ModelConfig,
    ModelError,
    Segmentation,
    Segmenter,
    Smoother,
    SmoothingState,
    load_model,
    load_segmenter,
)
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.runtime import can_multiply_bfloat16
from ovseg_ros.config import ConfigError, from_values
from ovseg_ros.vocabulary import VocabularyBuilder
from ovseg_ros.vocabulary.config import VocabularyConfig


@pytest.fixture(scope="module")
def segmenter(tiny_model_dir: Path) -> Segmenter:
    model = load_model(ModelConfig(str(tiny_model_dir), device="cpu", precision="float32"))
    return Segmenter(model, MethodConfig(short_side=96, logit_scale=100.0))


def classifier(segmenter: Segmenter, *classes: str, **settings: object) -> Classifier:
    return segmenter.encode(VocabularyBuilder().build(classes, **settings))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)


def plain_scores(segmenter: Segmenter, image: np.ndarray, embeddings: torch.Tensor) -> torch.Tensor:
    """Cosines of every patch and prompt, by the long way."""
    model = segmenter.model
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    pixels = F.interpolate(pixels, (96, 128), mode="bicubic", antialias=True).clamp(0, 255) / 255
    mean, std = torch.tensor(model.mean).view(3, 1, 1), torch.tensor(model.std).view(3, 1, 1)
    features = dense_features(model.backbone, (pixels - mean) / std, segmenter.method)[0]
    return features @ embeddings.T


def test_whole_way_equals_the_plain_one(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(
        segmenter,
        "car; automobile",
        "dog",
        "tree",
        background=["wall", "sky"],
        threshold=0.4,
        ids=[7, 200, 3],
    )
    result = segmenter.segment(image, chosen)
    texts = segmenter._text.encode(["wall", "sky", "car", "automobile", "dog", "tree"])
    cosines = plain_scores(segmenter, image, torch.from_numpy(texts))
    rows = torch.stack(
        [cosines[:, :2].amax(1), cosines[:, 2:4].amax(1), cosines[:, 4], cosines[:, 5]]
    ).reshape(4, 6, 8)
    logits = F.interpolate(100 * rows[None], (120, 160), mode="bilinear")[0]
    best, winner = logits.softmax(0).max(0)
    expected = torch.tensor([0, 7, 200, 3])[winner]
    expected[(best < 0.4) & (winner > 0)] = 255
    assert (torch.from_numpy(result.labels) == expected).float().mean() > 0.999
    assert np.abs(result.confidence - 255 * best.numpy()).max() <= 1
    assert set(np.unique(result.labels)) <= {0, 7, 200, 3, 255}
    assert len(np.unique(result.labels)) > 2


def test_shapes_types_and_sizes(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog")
    full = segmenter.segment(image, chosen)
    assert full.labels.shape == full.confidence.shape == full.output_size == full.input_size == (120, 160)
    assert full.labels.dtype == full.confidence.dtype == np.uint8
    assert full.labels.flags.c_contiguous
    assert full.grid == (6, 8)
    assert full.inference_ms > 0
    small = segmenter.segment(image, chosen, output_size="model")
    assert small.labels.shape == (96, 128)
    assert small.input_size == (120, 160)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (17, 31), (480, 640), (97, 600)])
def test_any_image_size(segmenter: Segmenter, size: tuple[int, int]) -> None:
    result = segmenter.segment(np.zeros((*size, 3), np.uint8), classifier(segmenter, "car", "dog"))
    assert result.labels.shape == size


def test_one_class_fills_the_image(segmenter: Segmenter, image: np.ndarray) -> None:
    result = segmenter.segment(image, classifier(segmenter, "car"))
    assert (result.labels == 1).all()
    assert (result.confidence == 255).all()


def test_254_classes(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, *[f"thing {i}" for i in range(254)], background=["wall"])
    result = segmenter.segment(image, chosen)
    assert len(result.summary()) == 254
    assert sum(entry.share for entry in result.summary()) + (result.labels == 0).mean() == pytest.approx(1)


def test_batch_equals_singles(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog", "tree")
    images = [image, image[::-1].copy(), np.zeros_like(image)]
    for one, of_batch in zip(images, segmenter.segment_batch(images, chosen), strict=True):
        single = segmenter.segment(one, chosen)
        assert (single.labels == of_batch.labels).mean() > 0.999
        assert np.abs(single.confidence.astype(int) - of_batch.confidence).max() <= 1


def test_windows_go_the_whole_way(segmenter: Segmenter, image: np.ndarray) -> None:
    """The scores of windows of 64 pixels at stride 32, each taken alone, averaged where they overlap."""
    windowed = Segmenter(segmenter.model, MethodConfig(short_side=96, logit_scale=100.0, window=64))
    chosen = classifier(segmenter, "car; automobile", "dog", "tree")
    result = windowed.segment(image, chosen)
    pixels = windowed.prepare([image], (96, 128))
    total, times = torch.zeros(4, 6, 8), torch.zeros(6, 8)
    for row in (0, 2):
        for column in (0, 2, 4):
            piece = pixels[:, :, 16 * row : 16 * row + 64, 16 * column : 16 * column + 64]
            features = dense_features(segmenter.model.backbone, piece, segmenter.method)[0]
            scores = (100 * features @ chosen.embeddings.T).T.reshape(4, 4, 4)
            total[:, row : row + 4, column : column + 4] += scores
            times[row : row + 4, column : column + 4] += 1
    mean = total / times
    expected = torch.stack([mean[:2].amax(0), mean[2], mean[3]])
    torch.testing.assert_close(result.scores, expected, rtol=0, atol=1e-3)
    assert result.labels.shape == image.shape[:2]
    assert windowed.description["windows"] == "64 at stride 32"


def agreement(
    fast: Segmenter, plain: Segmenter, images: list[np.ndarray], words: list[str]
) -> tuple[float, float]:
    """Share of pixels with equal labels, and how far apart the two best logits are at most elsewhere."""
    chosen, same, gaps = classifier(plain, *words), [], [0.0]
    for image in images:
        mine, theirs = fast.segment(image, chosen), plain.segment(image, chosen)
        same.append(mine.labels == theirs.labels)
        upsampled = F.interpolate(theirs.scores[None], image.shape[:2], mode="bilinear")[0]
        best = upsampled.topk(2, dim=0).values
        gaps.append((best[0] - best[1]).numpy()[~same[-1]].max(initial=0))
    return np.concatenate(same, axis=None).mean(), max(gaps)


def test_packed_labels_equal_the_plain_ones(tiny_model_dir: Path) -> None:
    rng = np.random.default_rng(1)
    images = [
        cv2.resize(rng.integers(0, 256, (9, 12, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
        for _ in range(4)
    ]
    fast, plain = (
        Segmenter(
            load_model(ModelConfig(str(tiny_model_dir), device="cpu", precision="float32"), packed=packed),
            MethodConfig(short_side=96),
        )
        for packed in (True, False)
    )
    equal, gap = agreement(fast, plain, images, [f"thing {i}" for i in range(21)])
    assert equal >= 0.995
    assert gap < 0.01


@pytest.mark.skipif(not can_multiply_bfloat16(), reason="this CPU cannot multiply bfloat16")
def test_bfloat16_labels_equal_the_plain_ones_on_photographs(photo_mini_dir: Path, shared_data: Path) -> None:
    fast, plain = (
        Segmenter(
            load_model(ModelConfig(str(photo_mini_dir), device="cpu", precision="bfloat16"), packed=packed)
        )
        for packed in (True, False)
    )
    for name in ("camvid", "msrc"):
        files = sorted((shared_data / name / "images").iterdir())[:3]
        images = [cv2.imread(str(file))[:, :, ::-1] for file in files]
        words = (shared_data / name / "classes.txt").read_text().split()
        equal, gap = agreement(fast, plain, images, words)
        assert equal >= 0.99  # 0.995 over many photographs: docs/performance.md
        assert gap < 0.1


def test_image_is_left_alone_and_may_be_read_only(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog")
    frozen = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    before = segmenter.segment(image, chosen)
    assert np.array_equal(segmenter.segment(frozen, chosen).labels, before.labels)
    mirrored = segmenter.segment(image[:, ::-1], chosen)  # a view with negative strides
    assert np.array_equal(mirrored.labels, segmenter.segment(image[:, ::-1].copy(), chosen).labels)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(segmenter: Segmenter, bad: np.ndarray) -> None:
    with pytest.raises(ModelError):
        segmenter.segment(bad, classifier(segmenter, "car"))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_images_of_a_batch_share_the_threads(
    segmenter: Segmenter, image: np.ndarray, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are those of single images, and all threads are there afterwards."""
    before, seen = torch.get_num_threads(), []
    chosen = classifier(segmenter, "car", "dog")
    images = [image, image[::-1].copy(), image[:, ::-1].copy()]
    singles = [segmenter.segment(one, chosen) for one in images]
    whole = Segmenter.features

    def watched(self: Segmenter, pixels: torch.Tensor) -> torch.Tensor:
        seen.append((len(pixels), torch.get_num_threads()))
        return whole(self, pixels)

    monkeypatch.setattr(Segmenter, "features", watched)
    try:
        torch.set_num_threads(threads)
        batch = segmenter.segment_batch(images, chosen)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == [(1, 1)] * 3
    for single, one in zip(singles, batch, strict=True):
        assert (single.labels == one.labels).mean() > 0.999


def test_a_batch_has_one_size(segmenter: Segmenter) -> None:
    images = [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 48, 3), np.uint8)]
    with pytest.raises(ModelError, match="one size"):
        segmenter.segment_batch(images, classifier(segmenter, "car"))


def test_class_confidence_agrees_with_the_winner(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog", "tree", background=["wall"], ids=[9, 4, 77])
    result = segmenter.segment(image, chosen)
    total = np.zeros(result.labels.shape, int)
    for entry in chosen.vocabulary.classes:
        probability = result.class_confidence(entry.id)
        assert probability.shape == result.labels.shape
        won = result.labels == entry.id
        assert np.array_equal(probability[won], result.confidence[won])
        assert (probability[~won] <= result.confidence[~won]).all()
        total += probability
    assert total.max() <= 257  # together at most 1, but for rounding
    with pytest.raises(KeyError, match="5"):
        result.class_confidence(5)


def test_summary_counts_pixels(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog", "tree", threshold=0.36)
    result = segmenter.segment(image, chosen)
    for entry in result.summary():
        won = result.labels == entry.id
        assert entry.share == pytest.approx(won.mean())
        assert entry.mean_confidence == pytest.approx(result.confidence[won].mean() / 255 if won.any() else 0)
        assert 0 <= entry.peak_confidence <= 1
        assert entry.peak_confidence >= result.class_confidence(entry.id).max() / 255 - 0.05
    assert result.unlabelled_share == pytest.approx((result.labels == 255).mean())
    assert 0 < result.unlabelled_share < 1


def test_own_threshold_of_a_class(segmenter: Segmenter, image: np.ndarray) -> None:
    plain = segmenter.segment(image, classifier(segmenter, "car", "dog"))
    strict = segmenter.segment(image, classifier(segmenter, "car", "dog", thresholds={"car": 1.0}))
    assert (plain.labels == 1).any()
    assert not (strict.labels[strict.confidence < 255] == 1).any()
    assert np.array_equal(strict.labels == 2, plain.labels == 2)


def test_synonyms_can_only_raise_a_class(segmenter: Segmenter, image: np.ndarray) -> None:
    alone = segmenter.segment(image, classifier(segmenter, "car", "dog"))
    helped = segmenter.segment(image, classifier(segmenter, "car; automobile; van", "dog"))
    assert ((helped.labels == 1) >= (alone.labels == 1)).all()


def test_cached_vocabularies_are_known(segmenter: Segmenter) -> None:
    vocabulary = VocabularyBuilder().build(["never seen before"], background=["nor this"])
    assert not segmenter.cached(vocabulary)
    segmenter.encode(vocabulary)
    assert segmenter.cached(vocabulary)


def test_smaller_shrinks_until_it_cannot(segmenter: Segmenter, image: np.ndarray) -> None:
    smaller = segmenter.smaller()
    assert smaller is not None
    assert smaller.short_side == 67
    assert smaller.segment(image, classifier(segmenter, "car", "dog")).labels.shape == (120, 160)
    assert segmenter.short_side == 96
    last = smaller
    while (following := last.smaller()) is not None:
        last = following
    assert last.short_side >= 64


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"name": "none"}, "method"),
        ({"short_side": 8}, "short side"),
        ({"window": 8}, "window"),
        ({"window": 64, "window_stride": 65}, "stride"),
        ({"window_stride": 16}, "stride"),
        ({"lam": 1.5}, "lam"),
    ],
)
def test_settings_that_cannot_be_are_refused(segmenter: Segmenter, settings: dict, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        Segmenter(segmenter.model, MethodConfig(**settings))


def test_templates_that_are_not_known_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ModelError, match="templates"):
        Segmenter(segmenter.model, templates="none")


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match="logit_scale"):
        from_values(EngineConfig, {"method.logit_scale": scale})


def test_numbers_of_the_configuration_take_precedence(segmenter: Segmenter) -> None:
    model = replace(segmenter.model, tuning={"gamma": 20.0, "alpha": 0.1})
    given = MethodConfig(gamma=7.0, beta=0.0, lam=0.25)
    method = Segmenter(model, given).method
    assert method.coherence == Coherence(gamma=7.0, beta=0.0, lam=0.25)
    assert method.deep == Deep(alpha=0.1)  # the model's
    own = replace(METHODS["clipseg"], name="own", deep=None)
    assert Segmenter(model, given, method=own).method == replace(
        own, coherence=Coherence(gamma=7.0, beta=0.0, lam=0.25)
    )
    assert Segmenter(model, MethodConfig(name="maskclip", gamma=7.0)).method == METHODS["maskclip"]


def test_a_segmenter_is_made_of_one_configuration(tiny_model_dir: Path, segmenter: Segmenter) -> None:
    config = EngineConfig(
        model=ModelConfig(str(tiny_model_dir), device="cpu", precision="float32"),
        method=MethodConfig(name="naclip", short_side=64, window=32, window_stride=16),
        vocabulary=VocabularyConfig(templates="full"),
    )
    made = load_segmenter(config)
    assert made.method == METHODS["naclip"]
    assert made.description == segmenter.description | {
        "method": "naclip",
        "short_side": "64",
        "windows": "32 at stride 16",
    }
    phrases = ["a word"]
    assert np.array_equal(made.embed(phrases), Segmenter(segmenter.model, templates="full").embed(phrases))


def test_description_is_for_humans(segmenter: Segmenter) -> None:
    assert segmenter.description == {
        "model": "tiny",
        "method": "clipseg",
        "device": "cpu",
        "precision": "float32",
        "short_side": "96",
    }


@pytest.mark.parametrize(
    ("name", "short_side", "floor"), [("camvid", 336, 0.20), ("msrc", 280, 0.40)], ids=["camvid", "msrc"]
)
def test_real_photographs_are_recognised(
    photo_mini_dir: Path, shared_data: Path, name: str, short_side: int, floor: float
) -> None:
    """mIoU on real photographs far above chance (1/11 and 1/23), and DSI does not ruin CERA."""
    names = (shared_data / name / "classes.txt").read_text().split()
    files = sorted((shared_data / name / "images").iterdir())
    files = files[:: max(1, len(files) // 8)][:8]
    model = load_model(ModelConfig(str(photo_mini_dir), device="cpu"))
    without = replace(METHODS["clipseg"], deep=None)
    scores = {}
    for method in (METHODS["clipseg"], without):
        segmenter = Segmenter(model, MethodConfig(short_side=short_side), method=method)
        chosen = segmenter.encode(VocabularyBuilder().build(names))
        confusion = np.zeros((len(names), len(names)), int)
        for file in files:
            image = cv2.imread(str(file))[:, :, ::-1]
            truth = cv2.imread(str(shared_data / name / "labels" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
            labels = segmenter.segment(image, chosen).labels.astype(int) - 1
            known = truth < len(names)
            np.add.at(confusion, (truth[known], labels[known]), 1)
        hits = confusion.diagonal()
        union = confusion.sum(0) + confusion.sum(1) - hits
        seen = confusion.sum(1) > 0
        scores[method] = (hits[seen] / union[seen]).mean()
    assert scores[METHODS["clipseg"]] > floor
    assert scores[METHODS["clipseg"]] > scores[without] - 0.02


def stream(image: np.ndarray, count: int) -> list[np.ndarray]:
    """One view with other noise in each frame."""
    rng = np.random.default_rng(7)
    noisy = (image + rng.normal(0, 25, image.shape) for _ in range(count))
    return [np.clip(frame, 0, 255).astype(np.uint8) for frame in noisy]


def test_smoothing_steadies_all_answers_alike(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen, smoother = classifier(segmenter, "car", "dog", "tree"), Smoother(0.3)
    frames = stream(image, 8)
    alone = [segmenter.segment(frame, chosen) for frame in frames]
    steady = [
        segmenter.segment(frame, chosen, smoothing=SmoothingState(smoother, number * 10**8))
        for number, frame in enumerate(frames)
    ]
    assert (steady[0].labels == alone[0].labels).all()
    assert torch.equal(steady[0].scores, alone[0].scores)

    def changes(results: list[Segmentation]) -> float:
        shares = [result.scores.softmax(dim=0) for result in results]
        return float(torch.stack([(a - b).abs().mean() for a, b in pairwise(shares)]).mean())

    assert changes(steady) < 0.6 * changes(alone)
    logits = F.interpolate(steady[-1].scores[None], image.shape[:2], mode="bilinear")[0]
    best, winner = logits.softmax(0).max(0)
    assert (torch.from_numpy(steady[-1].labels) == winner + 1).float().mean() > 0.999
    assert np.abs(steady[-1].confidence - 255 * best.numpy()).max() <= 1
    assert np.abs(steady[-1].class_confidence(2) - 255 * logits.softmax(0)[1].numpy()).max() <= 1
    torch.testing.assert_close(steady[-1].features, alone[-1].features)


def test_a_batch_of_cameras_keeps_them_apart(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen = classifier(segmenter, "car", "dog", "tree")
    front, rear = stream(image, 5), stream(image[::-1].copy(), 5)
    single, batched = (Smoother(0.3), Smoother(0.3)), (Smoother(0.3), Smoother(0.3))
    for number, pair in enumerate(zip(front, rear, strict=True)):
        stamp = number * 10**8
        together = segmenter.segment_batch(
            [*pair, image],
            chosen,
            smoothing=[*(SmoothingState(smoother, stamp) for smoother in batched), None],
        )
        for one, frame, smoother in zip(together, pair, single, strict=False):
            apart = segmenter.segment(frame, chosen, smoothing=SmoothingState(smoother, stamp))
            torch.testing.assert_close(one.scores.softmax(0), apart.scores.softmax(0), rtol=0, atol=1e-4)
        # The images of a batch have fewer threads each, and in what order a product is summed up depends on
        # their number and on the processor: the cosines agree to float32's rounding over all blocks.
        alone, close = segmenter.segment(image, chosen).scores, 1e-5 * segmenter.logit_scale
        torch.testing.assert_close(together[2].scores, alone, rtol=0, atol=close)


def test_without_smoothing_states_nothing_is_remembered(segmenter: Segmenter, image: np.ndarray) -> None:
    chosen, smoother = classifier(segmenter, "car", "dog", "tree"), Smoother(0.3)
    first, *rest = stream(image, 4)
    segmenter.segment(first, chosen, smoothing=SmoothingState(smoother, 0))
    for frame in rest:
        plain, none = (
            segmenter.segment(frame, chosen),
            segmenter.segment_batch([frame], chosen, smoothing=[None])[0],
        )
        assert torch.equal(plain.scores, none.scores)
        assert (plain.labels == none.labels).all()
        assert (plain.confidence == none.confidence).all()
    with pytest.raises(ModelError, match="2 smoothing states came with 1 images"):
        segmenter.segment_batch([first], chosen, smoothing=[None, None])
