"""The desk's run time. It never imports torch, transformers, trl, peft or sentence-transformers."""
