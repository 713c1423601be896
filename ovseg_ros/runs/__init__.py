"""From a source through a predictor into sinks: evaluate, replay, compare, segment."""
