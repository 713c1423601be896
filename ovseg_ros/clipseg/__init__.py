"""Open-vocabulary dense prediction from a frozen CLIP, without training. Nothing of ROS is needed here."""

from ovseg_ros.clipseg import waiting  # noqa: F401
from ovseg_ros.clipseg.classifier import Classifier
from ovseg_ros.clipseg.errors import DeviceLost, ModelError, OutOfMemory
from ovseg_ros.clipseg.locating import Heat, encode_texts, locate
from ovseg_ros.clipseg.methods import METHODS, Coherence, Deep, Method
from ovseg_ros.clipseg.model import ClipModel, cached_weights, load_model, shipped_models
from ovseg_ros.clipseg.segmentation import ClassStats, Segmentation
from ovseg_ros.clipseg.segmenter import Segmenter
from ovseg_ros.clipseg.smoothing import Moment, Smoother
from ovseg_ros.clipseg.text import TEMPLATES

__all__ = [
    "METHODS",
    "TEMPLATES",
    "ClassStats",
    "Classifier",
    "ClipModel",
    "Coherence",
    "Deep",
    "DeviceLost",
    "Heat",
    "Method",
    "ModelError",
    "Moment",
    "OutOfMemory",
    "Segmentation",
    "Segmenter",
    "Smoother",
    "cached_weights",
    "encode_texts",
    "load_model",
    "locate",
    "shipped_models",
]
