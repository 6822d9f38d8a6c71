"""From public dialogues to a GGUF on the desk: tokenizer, pretraining, SFT, reward model, GRPO, export.

One file a verb, one YAML recipe a run. Imports `app.chain` and nothing else of the desk.
"""
