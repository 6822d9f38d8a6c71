"""From a checkpoint to a GGUF that computes the same."""
