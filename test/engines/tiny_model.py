"""Writes a model directory that has everything but weights: enough for a frontend to tokenize and for a mock engine."""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

CONTEXT = 8192
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>"
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def write(directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    # Mock engines answer with ids from 1000 to 1999, so those must be tokens.
    vocabulary = {token: number for number, token in enumerate(SPECIAL + letters)}
    vocabulary |= {f"tok{number}": number for number in range(len(vocabulary), 2048)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 2048, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
        "bos_token_id": 0, "eos_token_id": 0, "torch_dtype": "bfloat16",
    }
    files = {
        "config.json": config,
        "generation_config.json": {"eos_token_id": 0, "bos_token_id": 0},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": CONTEXT, "eos_token": "<|end|>", "bos_token": "<|end|>", "chat_template": TEMPLATE},
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
