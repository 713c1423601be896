"""Open-vocabulary dense prediction from a frozen CLIP, without training. Nothing of ROS is needed here.

What is named here is imported when it is first used, so that a configuration costs no import of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ovseg_ros.clipseg import omp as omp  # before torch

if TYPE_CHECKING:
    from ovseg_ros.clipseg.classifier import Classifier as Classifier
    from ovseg_ros.clipseg.config import EngineConfig as EngineConfig
    from ovseg_ros.clipseg.config import MethodConfig as MethodConfig
    from ovseg_ros.clipseg.config import ModelConfig as ModelConfig
    from ovseg_ros.clipseg.config import OutputConfig as OutputConfig
    from ovseg_ros.clipseg.errors import DeviceLost as DeviceLost
    from ovseg_ros.clipseg.errors import ModelError as ModelError
    from ovseg_ros.clipseg.errors import OutOfMemory as OutOfMemory
    from ovseg_ros.clipseg.locating import Heat as Heat
    from ovseg_ros.clipseg.locating import encode_texts as encode_texts
    from ovseg_ros.clipseg.locating import locate as locate
    from ovseg_ros.clipseg.methods import METHODS as METHODS
    from ovseg_ros.clipseg.methods import Coherence as Coherence
    from ovseg_ros.clipseg.methods import Deep as Deep
    from ovseg_ros.clipseg.methods import Method as Method
    from ovseg_ros.clipseg.model import ClipModel as ClipModel
    from ovseg_ros.clipseg.model import cached_weights as cached_weights
    from ovseg_ros.clipseg.model import load_model as load_model
    from ovseg_ros.clipseg.model import shipped_models as shipped_models
    from ovseg_ros.clipseg.segmentation import Segmentation as Segmentation
    from ovseg_ros.clipseg.segmenter import Segmenter as Segmenter
    from ovseg_ros.clipseg.segmenter import load_segmenter as load_segmenter
    from ovseg_ros.clipseg.segmenter import resolve_method as resolve_method
    from ovseg_ros.clipseg.smoothing import Smoother as Smoother
    from ovseg_ros.clipseg.smoothing import SmoothingState as SmoothingState

_NAMES = {
    "classifier": "Classifier",
    "config": "EngineConfig MethodConfig ModelConfig OutputConfig",
    "errors": "DeviceLost ModelError OutOfMemory",
    "locating": "Heat encode_texts locate",
    "methods": "METHODS Coherence Deep Method",
    "model": "ClipModel cached_weights load_model shipped_models",
    "segmentation": "Segmentation",
    "segmenter": "Segmenter load_segmenter resolve_method",
    "smoothing": "Smoother SmoothingState",
}


def __getattr__(name: str) -> object:
    for module, names in _NAMES.items():
        if name in names.split():
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
