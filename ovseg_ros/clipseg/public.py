"""What `ovseg_ros.clipseg` offers; imports torch and open_clip."""

from ovseg_ros.clipseg.classifier import Classifier
from ovseg_ros.clipseg.config import EngineConfig, MethodConfig, ModelConfig, OutputConfig
from ovseg_ros.clipseg.errors import DeviceLost, ModelError, OutOfMemory
from ovseg_ros.clipseg.locating import Heat, encode_texts, locate
from ovseg_ros.clipseg.methods import METHODS, Coherence, Deep, Method
from ovseg_ros.clipseg.model import ClipModel, cached_weights, load_model, shipped_models
from ovseg_ros.clipseg.segmentation import ClassStats, Segmentation
from ovseg_ros.clipseg.segmenter import Segmenter, load_segmenter, resolve_method
from ovseg_ros.clipseg.smoothing import Smoother, SmoothingState
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
    "EngineConfig",
    "Heat",
    "Method",
    "MethodConfig",
    "ModelConfig",
    "ModelError",
    "OutOfMemory",
    "OutputConfig",
    "Segmentation",
    "Segmenter",
    "Smoother",
    "SmoothingState",
    "cached_weights",
    "encode_texts",
    "load_model",
    "load_segmenter",
    "locate",
    "resolve_method",
    "shipped_models",
]
